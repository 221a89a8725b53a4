"""What a pickle of a vectorizer holds, and what is read again."""

import copy
import io
import pickle
import re
import shutil
import subprocess
import sys

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.models import shared as shared_models

SMALL = 4000  # bytes: a path and a hash, but no weights


@pytest.fixture(params=["files", "trained", "frozen"])
def fitted(request, model_copy, tiny, texts, frozen):
    """Return a fitted vectorizer, whose model comes from one of three places."""
    model = {
        "files": str(model_copy),
        "trained": ElmoLanguageModel(**tiny),
        "frozen": frozen,
    }[request.param]
    return ElmoVectorizer(language_model=model, layers="concat").fit(texts)


def joblib_bytes(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    return file.getvalue()


WAYS = {
    "pickle": (pickle.dumps, pickle.loads),
    "joblib": (joblib_bytes, lambda data: joblib.load(io.BytesIO(data))),
    "cloudpickle": (cloudpickle.dumps, cloudpickle.loads),
    "skops": (
        skops.io.dumps,
        lambda data: skops.io.loads(
            data, trusted=skops.io.get_untrusted_types(data=data)
        ),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_features_survive(fitted, texts, way):
    write, read = WAYS[way]
    expected = fitted.transform(texts)
    pipeline = make_pipeline(fitted, LogisticRegression())
    pipeline[1].fit(expected, np.arange(len(texts)) % 2)
    data = write(pipeline)
    shared_models.forget()
    again = read(data)
    assert_array_equal(again.predict_proba(texts), pipeline.predict_proba(texts))
    again = again[0].set_params(cache=None)
    np.testing.assert_allclose(again.transform(texts), expected, rtol=0, atol=1e-6)
    assert again.get_params().keys() == fitted.get_params().keys()
    assert again.truncation_ == fitted.truncation_
    assert "_skelmo_version" not in vars(again)


def test_skops_need_trust_nothing_but_skelmo(fitted):
    unknown = skops.io.get_untrusted_types(data=skops.io.dumps(fitted))
    assert unknown
    assert {name.partition(".")[0] for name in unknown} == {"skelmo"}


def test_weights_from_files_are_not_stored(model_copy, texts):
    vectorizer = ElmoVectorizer(language_model=model_copy).fit(texts)
    data = pickle.dumps(vectorizer)
    assert len(data) < SMALL
    whole = pickle.dumps(vectorizer.set_params(store_weights=True))
    weights = model_copy / "weights.safetensors"
    assert len(whole) > weights.stat().st_size > SMALL
    expected = vectorizer.transform(texts)
    again = pickle.loads(data)
    assert again.language_model_.network_ is vectorizer.language_model_.network_
    assert_array_equal(again.transform(texts), expected)
    shutil.rmtree(model_copy)
    shared_models.forget()
    assert_array_equal(pickle.loads(whole).transform(texts), expected)


def test_a_tokenizer_of_ones_own_comes_along(model_copy, texts):
    vectorizer = ElmoVectorizer(language_model=model_copy, tokenizer=str.split)
    vectorizer.fit(texts)
    again = pickle.loads(pickle.dumps(vectorizer))
    assert again.language_model_.tokenizer == str.split
    assert again.tokenize(["a,b c."]) == [["a,b", "c."]]


def test_a_fresh_process_reads_the_weights(model_copy, texts, tmp_path):
    vectorizer = ElmoVectorizer(language_model=model_copy).fit(texts)
    np.save(tmp_path / "expected.npy", vectorizer.transform(texts[:9]))
    (tmp_path / "fitted.pkl").write_bytes(pickle.dumps(vectorizer))
    (tmp_path / "texts.txt").write_text("\n".join(texts[:9]))
    code = """
import pickle, sys
from pathlib import Path
import numpy as np
folder = Path(sys.argv[1])
vectorizer = pickle.loads((folder / "fitted.pkl").read_bytes())
got = vectorizer.transform((folder / "texts.txt").read_text().split("\\n"))
np.testing.assert_allclose(got, np.load(folder / "expected.npy"), rtol=0, atol=1e-6)
"""
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True)


def test_missing_files_are_named(model_copy, texts):
    vectorizer = ElmoVectorizer(language_model=model_copy).fit(texts)
    digest = vectorizer.language_model_.model_.digest.hex()
    data = pickle.dumps(vectorizer)
    shutil.rmtree(model_copy)
    message = (
        f"This ElmoVectorizer was pickled without the weights of its language model, "
        f"which it looks for in {model_copy} (hash of the weights {digest}), but "
        f"nothing is there. Put the model there, or pickle with store_weights=True."
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        pickle.loads(data)


def test_other_weights_are_not_taken_for_those_of_then(model_copy, texts, tiny):
    vectorizer = ElmoVectorizer(language_model=model_copy).fit(texts)
    data = pickle.dumps(vectorizer)
    then = vectorizer.language_model_.model_.digest.hex()
    shutil.rmtree(model_copy)
    other = ElmoLanguageModel(**{**tiny, "random_state": 1}).fit(texts)
    other.save(model_copy)
    now = other.model_.digest.hex()
    message = (
        f"This ElmoVectorizer was pickled with the language model in {model_copy}, "
        f"whose weights had the hash {then}, but now have {now}. Put the model of then "
        f"there, or fit again."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pickle.loads(data)


def test_weights_that_are_nowhere_else_cannot_be_left_out(tiny, texts):
    model = ElmoLanguageModel(**tiny)
    vectorizer = ElmoVectorizer(language_model=model, store_weights=False).fit(texts)
    message = (
        "ElmoVectorizer(store_weights=False) is pickled without its weights, but these "
        "come from no file. Write them by language_model_.save(directory) and fit with "
        "language_model=directory, or set store_weights='auto'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pickle.dumps(vectorizer)
    unfitted = ElmoVectorizer(language_model=model, store_weights=False)
    assert pickle.loads(pickle.dumps(unfitted)).store_weights is False


@pytest.mark.parametrize("name", ["vectorizer", "language_model"])
def test_another_version_is_told(name, language_model, model_copy, texts, monkeypatch):
    estimator = language_model
    if name == "vectorizer":
        estimator = ElmoVectorizer(language_model=model_copy).fit(texts)
    with monkeypatch.context() as patch:
        patch.setattr("skelmo.estimators.language_model.__version__", "0.0.1")
        patch.setattr("skelmo.estimators.vectorizer.__version__", "0.0.1")
        data = pickle.dumps(estimator)
    owner = type(estimator).__name__
    message = f"^This {owner} was pickled by skelmo 0.0.1, and skelmo .* reads it: "
    with pytest.warns(
        UserWarning, match=message + "features may differ, or fail. Fit "
    ):
        pickle.loads(data)


def test_copies_are_as_good(fitted, texts):
    expected = fitted.transform(texts)
    for again in (copy.copy(fitted), copy.deepcopy(fitted)):
        assert_array_equal(again.transform(texts), expected)


def test_a_deep_copy_needs_no_file(model_copy, texts):
    vectorizer = ElmoVectorizer(language_model=model_copy).fit(texts)
    expected = vectorizer.transform(texts)
    shutil.rmtree(model_copy)
    shared_models.forget()
    again = copy.deepcopy([vectorizer])[0]
    assert_array_equal(again.transform(texts), expected)
    assert again.language_model_.network_ is vectorizer.language_model_.network_
    assert again.language_model_ is not vectorizer.language_model_


def test_a_deep_copy_is_made_of_what_no_pickle_may_be(tiny, texts):
    model = ElmoLanguageModel(**tiny)
    vectorizer = ElmoVectorizer(language_model=model, store_weights=False).fit(texts)
    again = copy.deepcopy(vectorizer)
    assert_array_equal(again.transform(texts), vectorizer.transform(texts))


def test_a_frozen_model_is_deep_copied_as_such(frozen):
    again = copy.deepcopy(frozen)
    assert type(again) is type(frozen)
    assert again.estimator is not frozen.estimator
    assert again.estimator.network_ is frozen.estimator.network_


def test_tied_weights_are_pickled_once():
    def pickled(tie_weights):
        model = ElmoLanguageModel(
            filters=((1, 4),), hidden_size=8, proj_size=16, word_embedding_dim=16,
            num_layers=1, tie_weights=tie_weights, max_epochs=1, random_state=0,
        )  # fmt: skip
        with pytest.warns(UserWarning, match="tokens"):
            model.fit(["one two three four five six seven eight"] * 20)
        return model, pickle.dumps(model)

    (_, apart), (model, tied) = pickled(False), pickled(True)

    n_bytes = model.network_.softmax.weight.numel() * 4
    assert len(apart) - len(tied) == pytest.approx(n_bytes, abs=200)
    network = pickle.loads(tied).network_
    embedding = network.bilm.token_encoder.word_embedding.weight
    assert network.softmax.weight.data_ptr() == embedding.data_ptr()
    assert_array_equal(embedding.detach(), model.network_.softmax.weight.detach())
