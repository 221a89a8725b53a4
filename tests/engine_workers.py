"""What tests on engines share: who does the work, and where it finds the code."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@contextmanager
def environment_of_workers():
    """Let workers be of this Python, find this code, and choose their own threads."""
    with pytest.MonkeyPatch.context() as patch:
        found = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield
