"""The language model as an estimator: fit, go on, score, start from elsewhere."""

import math
import pickle
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from tiny_models import OPTIONS, tf_datasets, write_tf
from tiny_runs import assert_same_weights, differ, encoder_of, weights_of

from skelmo import ElmoLanguageModel
from skelmo.text.characters import encode_tokens
from skelmo.text.tokenization import split_sentences, tokenize

OTHER = ["Zebras graze quietly near a lake."] * 120 + ["Zebras sleep at noon."] * 60


def sure(message):
    return f"^{re.escape(message)}$"


def documents_with_words(texts):
    """Return the texts, and the words that are in OTHER as well."""
    return [*texts, *OTHER]


@pytest.fixture
def model(tiny):
    return ElmoLanguageModel(**tiny)


def brute_nll(model, sentence):
    """Return the negative log-likelihoods of a tokenised sentence, each way.

    Computed in plain steps: a batch of one, and torch's own softmax.
    """
    network = model.network_
    tokens = ["<S>", *sentence, "</S>"]
    rows = {word: k for k, word in enumerate(model.vocabulary_)}
    words = torch.tensor([rows.get(token, 2) for token in tokens])
    chars = torch.from_numpy(encode_tokens(tokens, 50)).long()
    with torch.no_grad():
        vectors = network.bilm.token_encoder(chars, None)
        output = network.bilm(vectors, [1] * len(tokens))
        logits = [
            torch.log_softmax(
                h.double() @ network.softmax.weight.double().t()
                + network.softmax.bias.double(),
                dim=1,
            )
            for h in (output.forward[-1], output.backward[-1])
        ]
    k = torch.arange(len(tokens) - 1)
    return -logits[0][k, words[1:]].sum().item(), -logits[1][
        k + 1, words[:-1]
    ].sum().item()


def test_scores_equal_a_computation_by_hand(language_model, texts):
    chosen = [*texts[:6], "Unheard words, here! Twice."]
    nll, n = [], []
    for text in chosen:
        sentences = [tokenize(s) for s in split_sentences(text)]
        nll.append(np.sum([brute_nll(language_model, s) for s in sentences], axis=0))
        n.append(sum(len(s) + 1 for s in sentences))
    nll, n = np.array(nll), np.array(n)
    got = language_model.perplexity(chosen)
    forward, backward = np.exp(nll.sum(axis=0) / n.sum())
    assert got.forward == pytest.approx(forward, rel=1e-5)
    assert got.backward == pytest.approx(backward, rel=1e-5)
    assert got.mean == pytest.approx(math.sqrt(forward * backward), rel=1e-5)
    np.testing.assert_allclose(
        language_model.score_samples(chosen), -nll.sum(axis=1) / (2 * n), rtol=1e-5
    )
    score = language_model.score(chosen)
    assert score == pytest.approx(-math.log(got.mean), rel=1e-9)
    weighted = (language_model.score_samples(chosen) * n).sum() / n.sum()
    assert score == pytest.approx(weighted, rel=1e-9)


def test_scores_of_documents_do_not_depend_on_each_other(language_model, texts):
    together = language_model.score_samples(texts[:20])
    alone = [language_model.score_samples([text])[0] for text in texts[:20]]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    np.testing.assert_array_equal(
        language_model.score_samples(texts[:20][::-1]), together[::-1]
    )


def test_a_document_without_tokens_scores_nan_and_counts_for_nothing(
    language_model, texts
):
    with_blanks = [texts[0], "", texts[1], "  "]
    scores = language_model.score_samples(with_blanks)
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False, True])
    assert language_model.score(with_blanks) == language_model.score(texts[:2])


def test_likelihoods_need_a_token(language_model):
    message = (
        "ElmoLanguageModel needs at least 1 token to give a perplexity, but X has 2 "
        "documents and no token. Pass some text."
    )
    for method in ("score", "perplexity"):
        with pytest.raises(ValueError, match=sure(message)):
            getattr(language_model, method)(["", " "])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_documents_score_alike_in_any_chunks(size, language_model, texts):
    documents = ["", texts[0], "", "", texts[1]]
    whole = language_model.score_samples(documents)
    chunks = [documents[k : k + size] for k in range(0, 6, size)] + [[]]
    parts = [language_model.score_samples(chunk) for chunk in chunks]
    assert [len(part) for part in parts] == [len(chunk) for chunk in chunks]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6)


def test_history_makes_a_frame(model, texts):
    model.set_params(max_epochs=3).fit(texts)
    frame = pd.DataFrame(model.history_)
    assert list(frame) == [
        "epoch", "n_tokens", "seconds", "learning_rate", "train_loss",
        "validation_perplexity_forward", "validation_perplexity_backward",
        "validation_perplexity", "validation_tokens",
    ]  # fmt: skip
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["seconds"].is_monotonic_increasing
    assert frame["n_tokens"].iloc[-1] == model.n_tokens_
    assert model.n_epochs_ == 3
    np.testing.assert_allclose(
        frame["validation_perplexity"] ** 2,
        frame["validation_perplexity_forward"]
        * frame["validation_perplexity_backward"],
    )


def test_validation_documents_are_used_as_given(model, texts):
    model.fit(texts, X_val=OTHER)
    assert model.history_[-1].validation_perplexity == pytest.approx(
        model.perplexity(OTHER).mean, rel=1e-6
    )
    assert "Zebras" not in model.vocabulary_
    without = clone(model).set_params(early_stopping=False).fit(texts)
    assert model.n_tokens_ == without.n_tokens_


def test_text_to_train_on_is_not_that_to_validate_with(model, texts):
    message = (
        "ElmoLanguageModel needs at least 2 tokens to train on, found 0. Pass more "
        "text, or check the tokenizer."
    )
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(["", " "], X_val=texts)


def test_partial_fit_goes_on(model, texts):
    model.set_params(learning_rate_init=0.01).partial_fit(texts)
    first, vocabulary = pickle.loads(pickle.dumps(model)), model.vocabulary_
    n_tokens = model.n_tokens_
    assert [r.epoch for r in model.history_] == [1]
    before = model.score(OTHER)
    for k in range(2, 5):
        assert model.partial_fit(OTHER) is model
        assert model.vocabulary_ == vocabulary
        assert [r.epoch for r in model.history_] == list(range(1, k + 1))
        assert model.n_epochs_ == k
    per_pass = (model.n_tokens_ - n_tokens) / 3
    assert per_pass == sum(len(re.findall(r"\w+|\.", text)) + 1 for text in OTHER)
    totals = [r.n_tokens for r in model.history_]
    assert totals == [n_tokens + k * per_pass for k in range(4)]
    assert model.score(OTHER) > before + 0.2
    assert differ(first.network_, model.network_)
    assert {r.learning_rate for r in model.history_} == {model.learning_rate_init}


def test_partial_fit_keeps_what_the_optimizer_remembers(model, texts):
    forgetful = clone(model).partial_fit(texts)
    model.partial_fit(texts)
    assert_same_weights(model.network_, forgetful.network_)
    forgetful = pickle.loads(pickle.dumps(forgetful))
    for each in (model, forgetful):
        each.partial_fit(texts)
    assert differ(model.network_, forgetful.network_)


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adagrad"])
def test_partial_fit_survives_a_change_of_solver(model, texts, solver):
    model.partial_fit(texts)
    for other in (solver, "adam"):
        before = weights_of(model.network_)
        model.set_params(solver=other).partial_fit(texts)
        after = weights_of(model.network_)
        assert any(not np.array_equal(before[name], after[name]) for name in after)


def test_partial_fit_after_fit_takes_its_vocabulary_along(model, texts):
    model.fit(texts)
    vocabulary = model.vocabulary_
    model.partial_fit(OTHER)
    assert model.vocabulary_ == vocabulary
    assert model.n_epochs_ == 2


def test_fit_starts_afresh_unless_told_otherwise(model, texts):
    once = clone(model).fit(texts)
    twice = clone(model).fit(texts).fit(texts)
    assert_same_weights(once.network_, twice.network_)
    warm = clone(model).set_params(warm_start=True, max_epochs=2)
    first = warm.fit(texts).score(texts)
    assert warm.fit(texts).score(texts) > first
    assert len(warm.history_) == 2


def test_warm_start_keeps_the_rows_of_known_words(model, texts):
    model.set_params(warm_start=True).fit(documents_with_words(texts))
    old = dict(zip(model.vocabulary_, model.network_.softmax.weight, strict=True))
    model.set_params(learning_rate_init=1e-12).fit([*OTHER, "New new words."] * 2)
    new = dict(zip(model.vocabulary_, model.network_.softmax.weight, strict=True))
    assert "New" in new
    known = new.keys() & old.keys()
    assert known >= {"Zebras", "lake", "<S>", "</S>", "<UNK>"}
    for word in known:
        torch.testing.assert_close(new[word], old[word], rtol=0, atol=1e-8)


@pytest.fixture
def saved(model, texts, tmp_path):
    """Return a saved model with a word-level embedding, and the model itself."""
    model.set_params(word_embedding_dim=3).fit(documents_with_words(texts))
    model.save(tmp_path / "saved")
    return tmp_path / "saved", model


def test_init_starts_from_a_saved_model(saved):
    path, source = saved
    model = ElmoLanguageModel(
        init=path, learning_rate_init=1e-12, max_epochs=1, hidden_size=99,
        random_state=1, batch_tokens=512,
    ).fit([*OTHER, "Newts new."] * 2)  # fmt: skip
    assert model.hidden_size == 99
    assert model.config_.hidden_size == source.config_.hidden_size
    mine, yours = weights_of(model.network_), weights_of(source.network_)
    assert mine.keys() == yours.keys()
    new, old = model.vocabulary_, source.vocabulary_
    assert "Newts" in new
    assert "Newts" not in old
    pairs = [(new.index(word), old.index(word)) for word in new if word in old]
    assert len(pairs) >= 10
    for name, array in mine.items():
        if name.startswith("softmax") or ".word_embedding" in name:
            for a, b in pairs:
                np.testing.assert_allclose(array[a], yours[name][b], atol=1e-8)
        else:
            np.testing.assert_allclose(array, yours[name], atol=1e-8, err_msg=name)
    assert model.n_epochs_ == 1


def test_init_is_where_the_first_partial_fit_starts(saved):
    path, source = saved
    model = ElmoLanguageModel(init=path, learning_rate_init=1e-12, random_state=1)
    model.partial_fit(OTHER * 2)
    mine, yours = weights_of(model.network_), weights_of(source.network_)
    name = next(name for name in mine if "forward_lstm" in name)
    np.testing.assert_allclose(mine[name], yours[name], atol=1e-8)
    assert "moon" in source.vocabulary_
    assert "moon" not in model.vocabulary_  # the first call makes the vocabulary
    assert model.n_epochs_ == 1
    model.partial_fit(OTHER * 2)
    assert model.n_epochs_ == 2


def whitespace(sentence):
    return sentence.split()


def test_init_takes_functions_from_the_estimator(tiny, texts, tmp_path):
    ElmoLanguageModel(**tiny, tokenizer=whitespace).fit(texts).save(tmp_path / "own")
    model = ElmoLanguageModel(**tiny, init=tmp_path / "own", tokenizer=whitespace)
    assert "moon." in model.fit(texts).vocabulary_
    message = (
        f"{tmp_path / 'own'}: the model was trained with a tokenizer of its own, "
        f"{__name__}.whitespace, which files do not hold. Give it again, as in "
        f"tokenizer=whitespace."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel(**tiny, init=tmp_path / "own").fit(texts)


def test_what_init_truncates_is_counted_by_its_own_limit(tiny, texts, tmp_path):
    ElmoLanguageModel(**tiny, max_characters=6).fit(texts).save(tmp_path / "short")
    model = ElmoLanguageModel(**tiny, init=tmp_path / "short").fit(texts)
    assert model.config_.max_characters == 6
    assert model.truncation_.n_tokens > 0


def test_init_without_words_cannot_tie_or_take_vectors(tiny, texts, tmp_path):
    ElmoLanguageModel(**tiny).fit(texts).save(tmp_path / "saved")
    common = {**tiny, "init": tmp_path / "saved", "word_embedding_dim": 8}
    message = (
        "tie_weights=True needs word_embedding_dim equal to proj_size, but the model "
        "to go on from has 0 and 8. Set tie_weights=False."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel(**common, tie_weights=True).fit(texts)
    message = (
        "init_word_vectors needs a word-level embedding, but the model to go on from "
        "reads characters alone. Set init_word_vectors=None."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel(**common, init_word_vectors="vectors.txt").fit(texts)


@pytest.fixture
def foreign(tmp_path):
    """Return a directory in bilm-tf's format, without a softmax."""
    return write_tf(tmp_path / "foreign", tf_datasets(), OPTIONS)


def test_a_foreign_model_gives_no_likelihoods(foreign, texts):
    model = ElmoLanguageModel.load(foreign)
    assert model.vocabulary_ is None
    message = (
        "ElmoLanguageModel needs a softmax to give likelihoods, but the files it was "
        "read from hold none: they suffice for features only. Train a model with fit."
    )
    for method in ("score", "perplexity", "score_samples"):
        with pytest.raises(ValueError, match=sure(message)):
            getattr(model, method)(texts)


def test_training_goes_on_from_a_foreign_model(foreign, texts):
    source = weights_of(ElmoLanguageModel.load(foreign).network_)
    model = ElmoLanguageModel(
        init=foreign, learning_rate_init=1e-12, max_epochs=1, random_state=0
    ).fit(texts)
    mine = weights_of(model.network_)
    assert len(model.vocabulary_) == len(mine["softmax.bias"]) > 10
    for name, array in source.items():
        if not name.startswith("softmax"):
            np.testing.assert_allclose(mine[name], array, atol=1e-6, err_msg=name)
    assert math.isfinite(model.perplexity(texts).mean)
    loaded = ElmoLanguageModel.load(foreign).set_params(random_state=0)
    assert len(loaded.partial_fit(texts).vocabulary_) > 10


def test_word_vectors_are_where_the_embedding_starts(model, texts, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("moon 1 2 3\nthe 4 5 6\nabsent 7 8 9\n", encoding="utf-8")
    model.set_params(
        word_embedding_dim=3, init_word_vectors=path, learning_rate_init=1e-12
    ).fit(texts)
    weight = model.network_.bilm.token_encoder.word_embedding.weight
    rows = dict(zip(model.vocabulary_, weight.tolist(), strict=True))
    assert rows["moon"] == [1, 2, 3]
    assert rows["the"] == [4, 5, 6]
    assert rows["The"] == [4, 5, 6]  # in lower case
    assert rows["city"] not in ([1, 2, 3], [4, 5, 6], [7, 8, 9])


def test_word_vectors_have_to_be_of_the_size_of_the_embedding(model, texts, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("moon 1 2 3\n", encoding="utf-8")
    model.set_params(word_embedding_dim=4, init_word_vectors=path)
    message = (
        f"{path}: holds vectors of size 3, but word_embedding_dim=4. Set "
        f"word_embedding_dim=3."
    )
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(texts)


def test_divergence_is_told_and_leaves_finite_weights(model, texts):
    model.set_params(
        learning_rate_init=1e6, max_grad_norm=None, warmup=0.0, batch_tokens=128
    )
    message = (
        r"^The loss of ElmoLanguageModel became (\S+) in epoch 1 "
        r"\(learning_rate_init=1000000\.0\); the weights of the start are kept\. Lower "
        r"learning_rate_init or max_grad_norm\.$"
    )
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.fit(texts)
    assert caught[0].filename == __file__
    assert all(np.isfinite(w).all() for w in weights_of(model.network_).values())
    assert model.history_ == []
    assert model.perplexity(texts).mean < 10 * len(model.vocabulary_)


def test_a_search_tunes_it(model, texts):
    grid = {"learning_rate_init": [1e-9, 0.02], "dropout": [0.0, 0.2]}
    search = GridSearchCV(model, grid, cv=2).fit(texts * 2)
    assert search.best_params_["learning_rate_init"] == 0.02
    assert search.best_score_ == search.cv_results_["mean_test_score"].max() < 0
    assert search.score(texts) == search.best_estimator_.score(texts)


@pytest.mark.parametrize(
    ("X", "n_tokens"),
    [
        (["one two"], 2),
        (["The cat sat on the mat."], 7),
        (["!!! ??? ..."], None),
        (["word"] * 30, 30),
        (["\N{SNOWMAN} \N{COMET}", "\N{SNOWMAN}"], 3),
    ],
    ids=["two-words", "one-document", "punctuation", "one-word", "symbols"],
)
def test_little_text_is_learned_from_with_a_warning(model, X, n_tokens):
    count = r"\d+" if n_tokens is None else str(n_tokens)
    message = (
        f"^ElmoLanguageModel is trained on {count} tokens only; fewer than 1,000 teach "
        f"it little. Pass more text, or use a model trained on more.$"
    )
    with pytest.warns(UserWarning, match=message):
        model.fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert math.isfinite(model.perplexity(["something else"]).mean)


@pytest.mark.parametrize("X", [["one"], [""], ["", " "]])
def test_fewer_than_two_tokens_are_refused(model, X):
    n = sum(bool(x.strip()) for x in X)
    message = (
        f"ElmoLanguageModel needs at least 2 tokens to train on, found {n}. Pass more "
        f"text, or check the tokenizer."
    )
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=sure(message)):
            method(X)


def test_global_generators_are_left_alone(model, texts):
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    model.fit(texts)
    model.partial_fit(texts).score(texts)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(), before[1])  # noqa: NPY002


def test_the_random_state_decides_the_weights(model, texts):
    first = clone(model).fit(texts)
    assert_same_weights(first.network_, clone(model).fit(texts).network_)
    other = clone(model).set_params(random_state=1).fit(texts)
    assert differ(first.network_, other.network_)
    instance = clone(model).set_params(random_state=np.random.RandomState(0))
    assert_same_weights(first.network_, instance.fit(texts).network_)


def test_words_may_be_in_lower_case_while_characters_are_not(tiny, texts, tmp_path):
    settings = {**tiny, "word_embedding_dim": 8, "tie_weights": True}
    model = ElmoLanguageModel(**settings, lowercase=True).fit(texts)
    words = model.vocabulary_[3:]
    assert words == [word.lower() for word in words]
    cased = ElmoLanguageModel(**settings).fit(texts).vocabulary_
    assert {"The", "the"} <= set(cased)
    assert set(words) == {word.lower() for word in cased[3:]}
    # One word, of other characters.
    X = [text.upper() for text in texts[:20]]
    first, second = (model.score_samples(x) for x in (texts[:20], X))
    assert np.abs(first - second).max() > 1e-3
    encoder = replace(encoder_of(model), cache=None)
    rows = encoder.bilm.token_encoder.word_embedding.weight
    with torch.no_grad():
        before, kept = encoder.token_vectors(["Cat", "cat"]), rows.clone()
        rows[model.vocabulary_.index("cat")] += 1.0
        after = encoder.token_vectors(["Cat", "cat"])
        rows.copy_(kept)
    torch.testing.assert_close(after[0] - before[0], after[1] - before[1])
    assert (after - before).abs().min() > 1e-3
    model.save(tmp_path / "saved")
    again = ElmoLanguageModel.load(tmp_path / "saved")
    assert again.lowercase is True
    assert_array_equal(again.score_samples(X), second)
