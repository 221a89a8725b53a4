"""Features in Dask's tables, by a cluster of two processes that may die."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest
from engine_workers import environment_of_workers, scores_of_searches
from strange_tokenizers import Killer, Witness, fussy, notes

from skelmo import ElmoVectorizer
from skelmo.engines import parcel

pytest.importorskip("distributed", reason="needs Dask: pip install 'skelmo[dask]'")

import dask
import dask.dataframe as dd
from distributed import Client, LocalCluster

import skelmo.dask

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def cluster():
    """Return two worker processes of one thread each."""
    with (
        environment_of_workers(),
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster):
    """Return what sends work to them."""
    with Client(cluster) as client:
        yield client


def table(texts, n_partitions=3):
    frame = pd.DataFrame(
        {"text": pd.Series(texts, dtype=object), "id": range(len(texts))}
    )
    frame.index += 1000
    return dd.from_pandas(frame, npartitions=n_partitions, sort=False)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_are_those_of_the_vectorizer(client, texts, vectorizer, dtype):
    ddf = table(texts)
    features = skelmo.dask.encode(ddf, vectorizer, "text", dtype=dtype)
    found = features.compute()
    # What was promised before anything was computed.
    assert found.dtypes.equals(features.dtypes)
    assert set(found.dtypes) == {np.dtype(dtype)}
    assert found.columns.tolist() == list(vectorizer.get_feature_names_out())
    assert found.index.equals(ddf.index.compute())
    expected = vectorizer.transform(texts).astype(dtype)
    np.testing.assert_allclose(
        found, expected, atol=1e-5 if dtype == "float32" else 1e-3
    )
    both = dd.concat([ddf, features], axis=1).compute()
    assert both["id"].tolist() == list(range(len(texts)))
    assert both.shape == (len(texts), 2 + found.shape[1])


def test_threads_of_this_process_need_no_cluster(texts, vectorizer):
    features = skelmo.dask.encode(table(texts), vectorizer, "text")
    found = features.compute(scheduler="threads")
    np.testing.assert_allclose(found, vectorizer.transform(texts), atol=1e-5)


def test_empty_partitions(client, texts, vectorizer):
    ddf = table(texts, 4)
    ddf = ddf[ddf["id"] >= len(texts) - 5]
    found = skelmo.dask.encode(ddf, vectorizer, "text").compute()
    np.testing.assert_allclose(found, vectorizer.transform(texts[-5:]), atol=1e-5)


def test_a_worker_loads_once_and_is_not_forked(client, make, texts, tmp_path):
    vectorizer = make(tokenizer=Witness(tmp_path))
    features = skelmo.dask.encode(table(texts, 6), vectorizer, "text")
    for _ in range(2):
        assert len(features.compute()) == len(texts)
    found = [note for note in notes(tmp_path) if note["pid"] != os.getpid()]
    loads = [note["pid"] for note in found if note["event"] == "load"]
    work = [note for note in found if note["event"] == "work"]
    assert 1 <= len(loads) == len(set(loads)) <= 2
    # The parent may have torch: nothing is forked off from it.
    assert dask.config.get("distributed.worker.multiprocessing-method") == "spawn"
    assert {note["n_threads"] for note in work} == {1}


def test_a_graph_holds_the_model_in_no_task(client, texts, vectorizer):
    one, many = (
        len(pickle.dumps(skelmo.dask.encode(table(texts, n), vectorizer, "text").expr))
        for n in (1, 60)
    )
    n_bytes = len(parcel.Parcel.of(vectorizer.features_).content)
    assert n_bytes > 10_000
    assert many - one < n_bytes


def test_memory_of_a_worker_is_bounded(client, tmp_path):
    vectorizer = ElmoVectorizer(tokenizer=Witness(tmp_path))  # the model of the package
    ddf = table([f"document {k} of a partition" for k in range(4000)], 4)
    found = skelmo.dask.encode(ddf, vectorizer, "text").map_partitions(len).compute()
    assert found.tolist() == [1000] * 4
    peaks = [n["peak_mib"] for n in notes(tmp_path) if n["event"] == "work"]
    assert max(peaks) < 700


def test_a_worker_that_is_killed_costs_no_row(client, make, texts, tmp_path):
    vectorizer = make(tokenizer=Killer(tmp_path / "died"))
    documents = [*texts[:70], "they die", *texts[70:]]
    found = skelmo.dask.encode(table(documents), vectorizer, "text").compute()
    assert (tmp_path / "died").exists()
    np.testing.assert_allclose(found, vectorizer.transform(documents), atol=1e-5)
    client.wait_for_workers(2)


def test_documents_that_raise_or_are_missing(client, make):
    ddf = table(["a b", "raise", None, "c"], 1)
    vectorizer = make(tokenizer=fussy)
    with pytest.raises(ValueError, match=r"1 of 4 are missing, the first in row 2"):
        skelmo.dask.encode(ddf, vectorizer, "text").compute()
    found = skelmo.dask.encode(ddf, vectorizer, "text", on_error="nan").compute()
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False]
    ddf = table(["a", None, "b"])
    for missing, value in (("empty", 0.0), ("nan", np.nan)):
        found = skelmo.dask.encode(ddf, make(missing=missing), "text").compute()
        np.testing.assert_array_equal(found.iloc[1], np.full(found.shape[1], value))


def test_versions_that_differ(client, vectorizer, monkeypatch):
    monkeypatch.setattr(parcel, "__version__", "0.0.1")
    with pytest.raises(Exception, match="skelmo must have one version everywhere"):
        skelmo.dask.encode(table(["a"]), vectorizer, "text").compute()


def test_a_column_that_is_not_there(vectorizer):
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.dask\.encode needs a column 'body' "
        r"of documents, but the columns are text, id\. Give the name",
    ):
        skelmo.dask.encode(table(["a"]), vectorizer, "body")


def test_a_grid_search_on_the_cluster(client, texts, model_path, tmp_path):
    found = scores_of_searches("dask", texts[:40], model_path, tmp_path / "cache")
    np.testing.assert_allclose(found, [found[0]] * 3)
