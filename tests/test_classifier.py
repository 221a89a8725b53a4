"""A head on a language model, as a classifier."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_sample_weight
from tiny_runs import weights_of

import skelmo
from skelmo import ElmoClassifier, ElmoLanguageModel, ElmoVectorizer
from skelmo.encoding.encoder import Encoder
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.heads import HEADS
from skelmo.training.checkpoint import Checkpointer
from skelmo.training.finetuning import Finetuning
from skelmo.training.tuning import TUNE

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(scope="module")
def y(texts):
    """Return a class for each text that a word in it tells."""
    return np.array(["cat" if "The cat" in text else "other" for text in texts])


@pytest.fixture(scope="module")
def frozen(tiny, texts):
    """Return a language model that has learned enough to tell words apart."""
    longer = {"max_epochs": 8, "batch_tokens": 128, "learning_rate_init": 0.02}
    return FrozenEstimator(ElmoLanguageModel(**{**tiny, **longer}).fit(texts))


@pytest.fixture
def make(frozen):
    """Return a function from parameters to a classifier that trains in a moment."""

    def make(**parameters):
        given = {
            "hidden_layer_sizes": (24,), "n_filters": 8, "dropout": 0.0, "max_iter": 20,
            "learning_rate_init": 0.05, "batch_size": 16, "random_state": 0,
            "tune": "none", "language_model": clone(frozen),
        }  # fmt: skip
        return ElmoClassifier(**{**given, **parameters})

    return make


@pytest.fixture
def encoded(monkeypatch):
    """Return a list of the documents whose tokens go through a network."""
    found, tokens = [], Encoder.tokens

    def noting(self, *arguments):
        for document, values in tokens(self, *arguments):
            found.append(document)
            yield document, values

    monkeypatch.setattr(Encoder, "tokens", noting)
    return found


@pytest.fixture
def heads(monkeypatch):
    """Return a list of the weights of the head at the end of each epoch."""
    found, record = [], Finetuning.record

    def noting(self, *arguments):
        found.append(weights_of(self.module.head))
        return record(self, *arguments)

    monkeypatch.setattr(Finetuning, "record", noting)
    return found


def assert_head(classifier, expected):
    for name, weight in weights_of(classifier.head_.network).items():
        assert_array_equal(weight, expected[name])


def same_bits(one, other, texts):
    assert_array_equal(one.predict_proba(texts), other.predict_proba(texts))


@pytest.mark.parametrize(
    ("head", "tune"),
    [*((head, "none") for head in HEADS), *(("attention", tune) for tune in TUNE[:3])],
)
def test_what_is_told_apart_is_learned(make, texts, y, head, tune):
    max_iter = 10 if tune in ("all", "top") else 25
    classifier = make(head=head, tune=tune, max_iter=max_iter).fit(texts, y)
    assert_array_equal(classifier.classes_, ["cat", "other"])
    assert classifier.score(texts, y) > 0.9
    shares = classifier.predict_proba(texts)
    assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    expected = classifier.classes_[shares.argmax(axis=1)]
    assert_array_equal(classifier.predict(texts), expected)
    assert_allclose(classifier.predict_log_proba(texts), np.log(shares), atol=1e-12)
    assert classifier.score(texts, y) == accuracy_score(y, expected)


@pytest.mark.parametrize("tune", TUNE)
def test_outputs_are_those_of_the_head_on_token_features(make, texts, y, tune):
    classifier = make(tune=tune, max_iter=2).fit(texts, y)
    model = FrozenEstimator(classifier.language_model_)
    features = ElmoVectorizer(model, layers="concat").transform_tokens(texts)
    head, rows, pooled = classifier.head_.network, [], []
    for tokens in features:
        activations = torch.from_numpy(tokens).view(len(tokens), -1, 16)
        lengths = torch.tensor([len(tokens)])
        rows.append(head(activations, lengths))
        pooled.append(head.pool(activations, lengths))
    shares = torch.softmax(torch.cat(rows), 1).detach()
    assert_allclose(classifier.predict_proba(texts), shares, **CLOSE)
    found = classifier.transform(texts)
    assert found.dtype == np.float32
    assert_allclose(found, torch.cat(pooled).detach(), rtol=1e-4, atol=1e-5)
    assert len(classifier.get_feature_names_out()) == found.shape[1]


@pytest.mark.parametrize("cache", ["memory", "directory"])
@pytest.mark.parametrize("tune", ["mix", "none"])
def test_heads_share_what_was_encoded_once(
    make, texts, y, encoded, tmp_path, cache, tune
):
    cache = tmp_path if cache == "directory" else cache
    repeated = [*texts, *texts[:40]]
    for head in HEADS:
        classifier = make(head=head, tune=tune, cache=cache, max_iter=1)
        classifier.fit(repeated, [*y, *y[:40]]).predict(texts[::-1])
        make(head=head, tune=tune, cache=cache, max_iter=1).fit(texts[:50], y[:50])
    assert len(encoded) == len(set(texts)) == skelmo.cache_info(cache).entries
    assert skelmo.cache_info(cache).hits > 0
    alone = make(head=head, tune=tune, cache=None, max_iter=1)
    alone.fit(repeated, [*y, *y[:40]])
    assert_allclose(
        alone.predict_proba(texts), classifier.predict_proba(texts), **CLOSE
    )
    skelmo.clear_cache(cache)
    assert skelmo.cache_info(cache).entries == 0


@pytest.mark.parametrize("tune", TUNE)
def test_a_copy_is_trained_and_nothing_cached_is_stale(frozen, make, texts, y, tune):
    model = frozen.estimator
    before, features = weights_of(model.network_), ElmoVectorizer(frozen)
    expected = features.fit_transform(texts)
    classifier = make(tune=tune, max_iter=2).fit(texts, y)
    for name, weight in weights_of(model.network_).items():
        assert_array_equal(weight, before[name])
    assert_array_equal(features.transform(texts), expected)
    tuned = classifier.language_model_
    is_tuned = tuned.model_.digest != model.model_.digest
    assert is_tuned == (tune in ("all", "top"))
    other = ElmoVectorizer(FrozenEstimator(tuned)).fit_transform(texts)
    assert np.array_equal(other, expected) == (not is_tuned)
    alone = ElmoVectorizer(FrozenEstimator(tuned), cache=None).fit_transform(texts)
    assert_allclose(other, alone, **CLOSE)


@pytest.mark.parametrize(("tune", "changed"), [("top", "_l1"), ("all", "")])
def test_so_much_is_tuned(frozen, make, texts, y, tune, changed):
    classifier = make(tune=tune, max_iter=2).fit(texts, y)
    before = weights_of(frozen.estimator.network_)
    for name, weight in weights_of(classifier.language_model_.network_).items():
        is_changed = not np.array_equal(weight, before[name])
        expected = changed in name and not name.startswith("softmax.")
        assert is_changed == expected, name


def test_the_mix_is_learned_unless_nothing_is_to_be(make, texts, y):
    mixed = make(tune="mix").fit(texts, y).head_.network.mix
    assert len(mixed.weights) == 3
    assert mixed.weights.detach().abs().max() > 0.01
    plain = make(tune="none").fit(texts, y).head_.network
    assert list(plain.mix.parameters()) == []
    layers = torch.arange(24.0).view(1, 3, 8)
    assert plain.mix(layers).tolist() == [list(range(24))]


def test_lower_layers_learn_at_lower_rates(frozen, make, texts, y):
    before = weights_of(frozen.estimator.network_)

    def moved(**parameters):
        # One step of Adam moves each weight by its rate.
        parameters |= {"solver": "adam", "max_iter": 1, "batch_size": 1000}
        classifier = make(tune="all", alpha=0.0, **parameters).fit(texts, y)
        after = weights_of(classifier.language_model_.network_)
        names = "weight_hh_l1", "weight_hh_l0", "projection.weight"
        return [
            max(np.abs(after[n] - before[n]).max() for n in before if n.endswith(end))
            for end in names
        ]

    rate = np.array(moved(learning_rate_decay=1.0))
    assert_allclose(rate, rate[0], rtol=1e-3)
    found = np.array(moved(learning_rate_decay=0.5)) / rate
    assert_allclose(found, [0.5, 0.25, 0.125], rtol=1e-3)


def test_layers_are_unfrozen_one_after_the_other(frozen, make, texts, y):
    before = weights_of(frozen.estimator.network_)
    for n_epochs, moved in enumerate((set(), {"_l1"}, {"_l1", "_l0"}), 1):
        classifier = make(tune="all", unfreeze="gradual", max_iter=n_epochs)
        classifier.fit(texts, y)
        after = weights_of(classifier.language_model_.network_)
        found = {
            name[-3:]
            for name in before
            if "_lstm." in name and not np.array_equal(after[name], before[name])
        }
        assert found == moved


def test_weight_2_is_a_document_given_twice(make, texts, y):
    X, weight = texts[:40], np.tile([1, 2], 20)
    twice = [text for text, n in zip(X, weight, strict=True) for _ in range(n)]
    parameters = {"batch_size": 1000, "max_iter": 8, "tune": "all"}
    weighted = make(**parameters).fit(X, y[:40], sample_weight=weight)
    repeated = make(**parameters).fit(twice, np.repeat(y[:40], weight))
    found = weighted.predict_proba(texts)
    assert_allclose(found, repeated.predict_proba(texts), rtol=0, atol=2e-4)
    plain = make(**parameters).fit(X, y[:40])
    assert not np.allclose(found, plain.predict_proba(texts), rtol=0, atol=2e-3)


def test_weight_0_is_a_document_not_given(make, texts, y):
    weight = np.r_[np.ones(80), np.zeros(40)]
    parameters = {"early_stopping": True, "dropout": 0.2}
    weighted = make(**parameters).fit(texts, y, sample_weight=weight)
    same_bits(weighted, make(**parameters).fit(texts[:80], y[:80]), texts)


@pytest.mark.parametrize("class_weight", ["balanced", {"cat": 3.0}])
def test_weights_of_classes_are_those_of_their_documents(make, texts, y, class_weight):
    by_class = make(class_weight=class_weight).fit(texts, y)
    weight = compute_sample_weight(class_weight, y)
    by_document = make().fit(texts, y, sample_weight=weight)
    assert_allclose(
        by_class.predict_proba(texts), by_document.predict_proba(texts), **CLOSE
    )


def test_the_epoch_that_was_best_for_what_is_held_out_is_kept(make, texts, y, heads):
    classifier = make(
        early_stopping=True, validation_fraction=0.25, max_iter=30, n_iter_no_change=4,
        learning_rate_init=0.3, learning_rate="constant", tol=0.0,
    ).fit(texts, y)  # fmt: skip
    rows = classifier.history_
    losses = [row.validation_loss for row in rows]
    best = int(np.argmin(losses))
    assert len(rows) == classifier.n_iter_ == best + 5 < 30
    assert classifier.validation_scores_ == [row.validation_score for row in rows]
    assert classifier.best_validation_score_ == rows[best].validation_score
    assert classifier.loss_curve_ == [row.train_loss for row in rows]
    assert_head(classifier, heads[best])


def test_without_anything_held_out_there_are_no_scores(make, texts, y):
    classifier = make(max_iter=3).fit(texts, y)
    assert classifier.validation_scores_ is None
    assert classifier.best_validation_score_ is None
    assert len(classifier.loss_curve_) == classifier.n_iter_ == 3
    assert not hasattr(make(), "loss_curve_")


@pytest.mark.parametrize("tune", ["all", "none"])
def test_several_labels_may_hold(make, texts, tune):
    words = "cat", "doctor", "city"
    Y = np.array([[word in text for word in words] for text in texts]).astype(int)
    classifier = make(tune=tune, early_stopping=True, max_iter=15).fit(texts, Y)
    assert_array_equal(classifier.classes_, [0, 1, 2])
    shares = classifier.predict_proba(texts)
    assert shares.shape == Y.shape
    assert_array_equal(classifier.predict(texts), (shares > 0.5).astype(int))
    assert (classifier.predict(texts) == Y).mean() > 0.9
    assert classifier.score(texts, Y) == accuracy_score(Y, classifier.predict(texts))


@pytest.mark.parametrize(
    "labels", [[1, 0], [7, -3], [True, False], [0.0, 1.0], ["b", "a"], ["c", "ä"]]
)
def test_classes_are_of_any_kind(make, texts, y, labels):
    given = np.array(labels)[(y == "cat").astype(int)]
    for targets in (given, given.tolist(), pd.Series(given)):
        classifier = make(max_iter=1).fit(texts, targets)
        assert_array_equal(classifier.classes_, sorted(labels))
        found = classifier.predict(texts)
        assert found.dtype == classifier.classes_.dtype
        assert set(found.tolist()) <= set(labels)


def test_a_document_is_told_the_same_alone_and_in_any_order(make, texts, y):
    for tune in ("all", "none"):
        classifier = make(tune=tune, cache=None, max_iter=2).fit(texts, y)
        together = classifier.predict_proba(texts)
        backwards = classifier.predict_proba(texts[::-1])[::-1]
        assert_allclose(backwards, together, **CLOSE)
        alone = np.concatenate([classifier.predict_proba([text]) for text in texts])
        assert_allclose(alone, together, **CLOSE)
        stream = classifier.predict_proba(iter(texts))
        assert_allclose(stream, together, **CLOSE)


@pytest.mark.parametrize("tune", ["all", "none"])
def test_the_seed_decides_all(make, texts, y, tune):
    parameters = {"tune": tune, "dropout": 0.3, "max_iter": 2}
    one, same, other = (
        make(random_state=seed, **parameters).fit(texts, y) for seed in (3, 3, 4)
    )
    same_bits(one, same, texts)
    assert not np.array_equal(one.predict_proba(texts), other.predict_proba(texts))


@pytest.mark.parametrize(("tune", "at"), [("all", 12), ("top", 9), ("mix", 1)])
def test_a_run_that_was_killed_ends_with_the_same_bits(
    make, texts, y, tmp_path, monkeypatch, tune, at
):
    parameters = {
        "tune": tune, "dropout": 0.3, "max_iter": 3, "early_stopping": True,
        "unfreeze": "gradual", "checkpoint_every": 1,
    }  # fmt: skip
    expected = make(**parameters).fit(texts, y)
    write, calls = Checkpointer.write, []

    def killed(self, *arguments):
        write(self, *arguments)
        calls.append(arguments)
        if len(calls) == at:
            raise RuntimeError("the process was killed")

    classifier = make(checkpoint=tmp_path, **parameters)
    with monkeypatch.context() as patched:
        patched.setattr(Checkpointer, "write", killed)
        with pytest.raises(RuntimeError, match="^the process was killed$"):
            classifier.fit(texts, y)
    assert not hasattr(classifier, "head_")
    steps, loss = [], Finetuning.loss

    def counted(self, *arguments):
        steps.append(arguments)
        return loss(self, *arguments)

    monkeypatch.setattr(Finetuning, "loss", counted)
    classifier.fit(texts, y)
    same_bits(classifier, expected, texts)
    n_steps = 3 * 7
    assert 0 < len(steps) < n_steps - at + 3
    assert [row[4:] for row in classifier.history_] == [
        row[4:] for row in expected.history_
    ]
    make(checkpoint=tmp_path, **{**parameters, "dropout": 0.1}).fit(texts, y)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_without_a_seed_is_warned_of(make, texts, y, tmp_path):
    classifier = make(checkpoint=tmp_path, random_state=None, max_iter=1)
    message = (
        f"^checkpoint='{tmp_path}' of ElmoClassifier will not be found again: with "
        f"random_state=None every run is another one. Set random_state to an integer.$"
    )
    with pytest.warns(UserWarning, match=message):
        classifier.fit(texts, y)


def test_a_loss_that_is_no_number_ends_training_and_the_best_epoch_is_kept(
    make, texts, y, heads, monkeypatch
):
    calls, loss = [], Finetuning.loss

    def broken(self, *arguments):
        calls.append(arguments)
        found = loss(self, *arguments)
        return found * float("nan") if len(calls) > 2 * 8 + 3 else found

    monkeypatch.setattr(Finetuning, "loss", broken)
    message = (
        r"^The loss of ElmoClassifier became nan in epoch 3 \(learning_rate_init=0.05\)"
        r"; the weights of epoch 2 are kept. Lower learning_rate_init or "
        r"max_grad_norm.$"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        classifier = make(max_iter=4).fit(texts, y)
    assert classifier.n_iter_ == 2
    assert_head(classifier, heads[1])


def test_a_limit_of_time_ends_training(make, texts, y):
    classifier = make(max_time=1e-9, max_iter=50).fit(texts, y)
    assert classifier.n_iter_ == 1
    assert classifier.history_[0].n_documents == 16


@pytest.mark.parametrize("tune", ["all", "none"])
def test_partial_fit_goes_on(make, texts, y, tune):
    classifier = make(tune=tune)
    for _ in range(6):
        for start in range(0, 120, 40):
            part = slice(start, start + 40)
            classifier.partial_fit(texts[part], y[part], classes=["cat", "other"])
    assert classifier.score(texts, y) > 0.9
    assert classifier.n_iter_ == 18
    assert classifier.history_[-1].epoch == 18
    assert classifier.history_[-1].n_documents == 6 * 120


def test_partial_fit_takes_over_what_the_optimiser_remembers(make, texts, y):
    classifier = make().partial_fit(texts, y)
    forgetful = copy.copy(classifier)
    head = classifier.head_
    forgetful.head_ = TrainedHead(head.network, head.history)
    for each in (classifier, forgetful):
        each.partial_fit(texts, y)
    mine, yours = classifier.predict_proba(texts), forgetful.predict_proba(texts)
    assert not np.array_equal(mine, yours)
    assert np.abs(mine - yours).mean() < 0.1


def test_warm_start_goes_on_from_the_weights(make, texts, y):
    for tune in ("all", "none"):
        classifier = make(tune=tune, warm_start=True, max_iter=3).fit(texts, y)
        first = classifier.history_[0].train_loss
        digest = classifier.language_model_.model_.digest
        classifier.fit(texts, y)
        assert classifier.history_[0].train_loss < first / 2
        assert classifier.n_iter_ == 3
        is_tuned = classifier.language_model_.model_.digest != digest
        assert is_tuned == (tune == "all")
    anew = clone(classifier).fit(texts, y)
    assert anew.history_[0].train_loss == pytest.approx(first)


def test_classes_that_were_not_told_before_are_refused(make, texts, y):
    classifier = make(max_iter=1, warm_start=True).fit(texts, y)
    message = (
        "^ElmoClassifier knows the classes 'cat', 'other', but y has 'sun' too. Pass "
        "all classes to the first partial_fit, or fit anew without warm_start.$"
    )
    before = classifier.predict_proba(texts)
    for method in (classifier.fit, classifier.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(texts, ["sun", *y[1:]])
    with pytest.raises(ValueError, match=message):
        make().partial_fit(texts, ["sun", *y[1:]], classes=["cat", "other"])
    assert_array_equal(classifier.predict_proba(texts), before)
    assert make(max_iter=1).fit(texts, ["sun", *y[1:]]).classes_.tolist()[2] == "sun"


def test_a_model_is_trained_inside(tiny, texts, y, make):
    language_model = ElmoLanguageModel(**tiny)
    classifier = make(language_model=language_model, max_iter=1).fit(texts, y)
    expected = clone(language_model).fit(texts).model_
    assert classifier.language_model_.model_.digest == expected.digest
    assert not hasattr(language_model, "model_")


@pytest.mark.parametrize("cache", ["memory", None])
def test_the_language_model_first_goes_through_the_texts(
    frozen, make, texts, y, cache, tmp_path
):
    before = frozen.estimator.perplexity(texts).mean
    parameters = {"max_iter": 1, "adapt_epochs": 2, "cache": cache}
    classifier = make(**parameters).fit(texts, y)
    adapted = classifier.language_model_
    assert adapted.perplexity(texts).mean < before
    assert adapted.n_epochs_ == frozen.estimator.n_epochs_ + 2
    assert adapted.vocabulary_ == frozen.estimator.vocabulary_
    lines = tmp_path / "more.txt"
    lines.write_text("".join(f"{text}\n" for text in texts[:60]))
    for unlabeled in (texts[:60], iter(texts[:60]), lines):
        more = make(**parameters).fit(texts, y, unlabeled=unlabeled)
        assert more.language_model_.n_tokens_ > adapted.n_tokens_
    same = make(**parameters, head="linear").fit(texts, y)
    assert same.language_model_.model_.digest == adapted.model_.digest
    shares_it = same.language_model_.model_ is adapted.model_
    assert shares_it == (cache == "memory")


def test_missing_documents_have_no_tokens(make, texts, y):
    X = [None, *texts[1:], ""]
    targets = [*y, "cat"]
    message = (
        r"^ElmoClassifier needs a text in every row of X, but 1 of 121 are missing, "
        r"the first in row 0 \(NoneType None\). Fill them in, or set missing='empty' "
        r"or missing='nan' before fit.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(X, targets)
    classifier = make(missing="empty", max_iter=2).fit(X, targets)
    shares = classifier.predict_proba([None, float("nan"), pd.NA, "", texts[0]])
    assert (shares[:4] == shares[3]).all()
    assert (classifier.transform([None]) == 0).all()
    tokens = [None, ["the", "moon"], [], [["a"], ["b", "c"]]]
    classifier = make(missing="empty", input="tokens", max_iter=1)
    found = classifier.fit(tokens, [0, 1, 0, 1]).predict_proba(tokens)
    assert_array_equal(found[0], found[2])


def test_documents_come_in_any_container(make, texts, y):
    expected = make(max_iter=1).fit(texts, y)
    polars = pytest.importorskip("polars")
    for X in (
        np.array(texts, dtype=object), pd.Series(texts, name="text"),
        pd.DataFrame({"text": texts}), polars.Series("text", texts), iter(texts),
    ):  # fmt: skip
        classifier = make(max_iter=1).fit(X, y)
        same_bits(classifier, expected, texts)
    frame = pd.DataFrame({"text": texts})
    classifier = make(max_iter=1).fit(frame, y)
    assert_array_equal(classifier.feature_names_in_, ["text"])
    message = (
        "^ElmoClassifier was fitted on column 'text', but X is column 'body'. Pass the "
        "column of the same name.$"
    )
    with pytest.raises(ValueError, match=message):
        classifier.predict(frame.rename(columns={"text": "body"}))


def test_parameters_take_effect_at_the_next_fit(make, texts, y):
    classifier = make(max_iter=2, tune="mix").fit(texts, y)
    before = classifier.predict_proba(texts)
    classifier.set_params(tune="none", tokenizer=str.split, unknown_words="characters")
    assert_array_equal(classifier.predict_proba(texts), before)
    classifier.fit(texts, y)
    assert not np.array_equal(classifier.predict_proba(texts), before)


BAD = {
    "n_attention_heads": (
        3,
        "The 'n_attention_heads' parameter of ElmoClassifier must divide the 16 "
        "features of the language model. Got 3 instead.",
    ),
    "kernel_sizes": (
        (3, 0),
        r"The 'kernel_sizes' parameter of ElmoClassifier must be a whole number of at "
        r"least 1, or several. Got \(3, 0\) instead.",
    ),
    "hidden_layer_sizes": (
        (),
        r"The 'hidden_layer_sizes' parameter of ElmoClassifier must be a whole number "
        r"of at least 1, or several. Got \(\) instead.",
    ),
    "cache": (
        "Memory",
        "cache must be 'memory', None or a directory, got 'Memory'. Write './Memory' "
        "if a directory of that name is meant.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_told(make, texts, y, name):
    value, message = BAD[name]
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(**{name: value}).fit(texts, y)


def test_targets_that_tell_nothing_apart_are_refused(make, texts, y):
    message = (
        "^ElmoClassifier needs samples of at least 2 classes to tell apart, but y has "
        "one class only: 'cat'. Pass documents of at least 2.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, ["cat"] * len(texts))
    message = (
        "^ElmoClassifier requires y to be passed, but the target y is None. Pass the "
        "targets to fit.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, None)
    message = (
        "^ElmoClassifier needs a target for every document, but 2 in y are missing: "
        "Input y contains NaN. Leave these documents out.$"
    )
    for missing in (None, float("nan"), pd.NA):
        targets = np.array([missing, missing, *y[2:]], dtype=object)
        with pytest.raises(ValueError, match=message):
            make().fit(texts, targets)
    message = (
        "^class_weight of ElmoClassifier is for classes, but y is an indicator of 2 "
        "labels. Set class_weight=None, and weigh documents by sample_weight.$"
    )
    with pytest.raises(ValueError, match=message):
        make(class_weight="balanced").fit(texts[:2], [[0, 1], [1, 1]])
    message = "^Found input variables with inconsistent numbers of samples: "
    with pytest.raises(ValueError, match=message):
        make().fit(texts, y[:-1])


def test_weights_that_weigh_nothing_are_refused(make, texts, y):
    message = (  # scikit-learn's own comes first where it has one
        "^Sample weights must contain at least one non-zero number.$|^ElmoClassifier "
        "needs a weight that is not zero, but all 120 of sample_weight are. Leave it "
        "out, or weight some documents.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, y, sample_weight=np.zeros(120))
    message = (
        "^ElmoClassifier needs weights of documents of at least 0, but sample_weight "
        "has -1. Set it to 0 to leave a document out.$"
    )
    with pytest.raises(ValueError, match=message):
        make().fit(texts, y, sample_weight=np.r_[-1, np.ones(119)])


def test_a_fit_that_fails_leaves_all_as_it_was(make, texts, y):
    classifier = make(max_iter=1).fit(texts, y)
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier.fit(texts, y[:-1])
    assert vars(classifier) == before
