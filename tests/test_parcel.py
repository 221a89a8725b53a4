"""What travels is complete, and opened once in a process."""

import pickle
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from strange_tokenizers import Witness, notes

import skelmo
from skelmo import ElmoVectorizer
from skelmo.engines import parcel
from skelmo.engines.parcel import MOST_OPEN, Parcel


def moved(thing):
    return pickle.loads(pickle.dumps(Parcel.of(thing))).open()


def test_a_parcel_arrives_as_what_it_holds():
    assert moved({"a": [1, 2]}) == {"a": [1, 2]}
    assert moved(lambda x: x + 1)(1) == 2  # which pickle alone cannot


def test_a_parcel_is_opened_once_in_a_process(tmp_path):
    sent = Parcel.of(Witness(tmp_path))
    content = pickle.dumps(sent)
    arrived = pickle.loads(content)
    assert notes(tmp_path) == []
    first = arrived.open()
    assert pickle.loads(content).open() is first
    assert sent.open() is first
    assert Parcel.of(Witness(tmp_path)).open() is first
    assert len(notes(tmp_path)) == 1


def test_only_a_few_parcels_are_kept(tmp_path):
    first = Parcel.of(["first"])
    kept = first.open()
    for k in range(MOST_OPEN - 1):
        Parcel.of([k]).open()
    assert first.open() is kept
    for k in range(MOST_OPEN):
        Parcel.of([k]).open()
    assert first.open() is not kept


def test_another_version_of_skelmo_is_refused(monkeypatch):
    monkeypatch.setattr(parcel, "__version__", "0.0.1")
    content = pickle.dumps(Parcel.of([1]))
    monkeypatch.undo()
    here, place = skelmo.__version__, Path(skelmo.__file__).parent
    message = (
        f"skelmo must have one version everywhere, but the driver has 0.0.1 and the "
        f"worker on {socket.gethostname()} has {here}, in {place}. Install 0.0.1 on "
        f"all workers, or the worker's version on the driver."
    )
    with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
        pickle.loads(content).open()


def test_a_pipeline_travels_with_weights_of_a_path(model_copy, texts, tmp_path):
    y = [k % 2 for k in range(40)]
    elmo = ElmoVectorizer(str(model_copy))
    pipeline = make_pipeline(elmo, LogisticRegression()).fit(texts[:40], y)
    expected = pipeline.predict_proba(texts)
    content = pickle.dumps(Parcel.of(pipeline))
    model_copy.rename(tmp_path / "elsewhere")
    skelmo.clear_cache()
    other = pickle.loads(content).open()
    assert other[0].cache is None
    assert pipeline[0].cache == "memory"
    np.testing.assert_allclose(other.predict_proba(texts), expected, atol=1e-6)


def test_a_pipeline_travels_without_weights_if_asked(model_copy, texts):
    elmo = ElmoVectorizer(str(model_copy), store_weights=False).fit(texts[:5])
    small = len(Parcel.of(make_pipeline(elmo)).content)
    whole = len(Parcel.of(make_pipeline(elmo.set_params(store_weights=True))).content)
    assert small < 10_000 < whole


def test_bundled_models_travel_by_name():
    elmo = ElmoVectorizer().fit(["a"])
    assert len(Parcel.of(elmo).content) < 10_000
