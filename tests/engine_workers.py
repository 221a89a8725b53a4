"""What tests on engines share: who does the work, and where it finds the code."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@contextmanager
def environment_of_workers():
    """Let workers find this code and these tests, and choose their own threads."""
    with pytest.MonkeyPatch.context() as patch:
        found = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))
        patch.delenv("OMP_NUM_THREADS", raising=False)
        yield
