"""Features in Ray's data sets, by actors that may die."""

import os
import sys

import numpy as np
import pandas as pd
import pytest
from engine_workers import environment_of_workers, scores_of_searches
from strange_tokenizers import Killer, Witness, fussy, notes

from skelmo import ElmoVectorizer
from skelmo.engines import parcel

pytest.importorskip("ray", reason="needs Ray: pip install 'skelmo[ray]'")

import ray
from ray.util.joblib import register_ray

import skelmo.ray

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::UserWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    """Start Ray: two processors for actors, one for what reads tables."""
    with environment_of_workers(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()


def table(texts, n_blocks=3):
    ids = range(len(texts))
    frame = pd.DataFrame({"text": pd.Series(texts, dtype=object), "id": ids})
    parts = np.array_split(np.arange(len(texts)), n_blocks)
    return ray.data.from_pandas([frame.iloc[part] for part in parts])


def encoded(ds, vectorizer, n_actors=1, **given):
    """Encode by actors; return rows in the order of ids, each there once."""
    result = ds.map_batches(
        skelmo.ray.Encoder,
        fn_constructor_args=[skelmo.ray.put(vectorizer), "text"],
        fn_constructor_kwargs=given,
        compute=ray.data.ActorPoolStrategy(size=n_actors),
    )
    rows = sorted(result.take_all(), key=lambda row: row["id"])
    assert [row["id"] for row in rows] == list(range(len(rows)))
    return np.array([row[given.get("output", "features")] for row in rows])


def test_rows_are_those_of_the_vectorizer(texts, vectorizer):
    found = encoded(table(texts), vectorizer, n_actors=2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, vectorizer.transform(texts), atol=1e-5)
    halves = encoded(table(texts), vectorizer, dtype="float16", output="halves")
    assert halves.dtype == np.float16
    np.testing.assert_allclose(halves, found, atol=1e-3)


def test_an_actor_loads_once(make, texts, tmp_path):
    vectorizer = make(tokenizer=Witness(tmp_path))
    assert len(encoded(table(texts, 6), vectorizer, n_actors=2)) == len(texts)
    found = [note for note in notes(tmp_path) if note["pid"] != os.getpid()]
    loads = [note["pid"] for note in found if note["event"] == "load"]
    work = [note for note in found if note["event"] == "work"]
    assert 1 <= len(loads) == len(set(loads)) <= 2
    assert not any(note["parent_has_torch"] for note in work)
    assert {note["n_threads"] for note in work} == {1}  # num_cpus of an actor


def test_memory_of_an_actor_is_bounded(tmp_path):
    vectorizer = ElmoVectorizer(tokenizer=Witness(tmp_path))  # the model of the package
    texts = [f"document {k} of a block" for k in range(4000)]
    assert encoded(table(texts, 4), vectorizer).shape == (4000, 3072)
    peaks = [n["peak_mib"] for n in notes(tmp_path) if n["event"] == "work"]
    assert max(peaks) < 700


def test_an_actor_that_is_killed_costs_no_row(make, texts, tmp_path):
    vectorizer = make(tokenizer=Killer(tmp_path / "died"))
    documents = [*texts[:70], "they die", *texts[70:]]
    found = encoded(table(documents), vectorizer, n_actors=2)
    assert (tmp_path / "died").exists()
    np.testing.assert_allclose(found, vectorizer.transform(documents), atol=1e-5)


def test_documents_that_raise_or_are_missing(make):
    ds, vectorizer = table(["a b", "raise", None, "c"], 1), make(tokenizer=fussy)
    found = encoded(ds, vectorizer, on_error="nan")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False]
    with pytest.raises(Exception, match="are missing, the first in row 2"):
        encoded(ds, vectorizer)
    found = encoded(table(["a", None], 1), make(missing="empty"))
    np.testing.assert_array_equal(found[1], np.zeros(found.shape[1]))


def test_versions_that_differ(vectorizer, monkeypatch):
    monkeypatch.setattr(parcel, "__version__", "0.0.1")
    model = skelmo.ray.put(vectorizer)
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="skelmo must have one version everywhere"):
        skelmo.ray.Encoder(model)


def test_wrong_columns_are_told_of(vectorizer):
    model = skelmo.ray.put(vectorizer)
    batch = {"text": np.array(["a"], dtype=object), "id": np.array([1])}
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.ray\.Encoder needs a column 'body' "
        r"of documents, but the columns are text, id\. Give the name",
    ):
        skelmo.ray.Encoder(model, "body")(batch)
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.ray\.Encoder adds a column 'id', "
        r"but there is one already\. Set output, or drop that column",
    ):
        skelmo.ray.Encoder(model, output="id")(batch)


@pytest.mark.skipif(sys.platform == "win32", reason="Ray's pool is not for Windows")
def test_a_grid_search_on_the_cluster(texts, model_path, tmp_path):
    register_ray()
    found = scores_of_searches("ray", texts[:40], model_path, tmp_path / "cache")
    np.testing.assert_allclose(found, [found[0]] * 3)
