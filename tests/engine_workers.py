"""What tests on engines share: who does the work, and where it finds the code."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skelmo import ElmoVectorizer

HERE = Path(__file__).parent


@contextmanager
def environment_of_workers():
    """Let workers be of this Python, find this code, and choose their own threads."""
    with pytest.MonkeyPatch.context() as patch:
        found = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, found)))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.delenv("OMP_NUM_THREADS", raising=False)
        # As Dask does for its own, and leaves behind for what starts later: glibc keeps
        # up to 90 MiB of what was freed, which is no memory of ours.
        patch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
        yield


def scores_of_searches(backend, texts, model_path, directory):
    """Search in an engine without a cache and with one there, and in this process."""
    y = [k % 2 for k in range(len(texts))]
    grid = {"elmovectorizer__layers": ["mean", "top"]}
    found = []
    for cache in (None, str(directory), "memory"):
        elmo = ElmoVectorizer(model_path, cache=cache)
        pipeline = make_pipeline(elmo, LogisticRegression())
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2)
        if cache == "memory":
            search.set_params(n_jobs=1).fit(texts, y)
        else:
            with joblib.parallel_config(backend):
                search.fit(texts, y)
        found.append(search.cv_results_["mean_test_score"])
    return found
