"""scikit-learn's callbacks around the fit, its epochs and its steps."""

import importlib.util
import math
import pickle
import re
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from tiny_runs import assert_same_weights, weights_of

from skelmo import ElmoClassifier, ElmoLanguageModel, ElmoVectorizer
from skelmo.estimators import callbacks
from skelmo.scoring.likelihood import Perplexity
from skelmo.training.language_modeling import LanguageModeling
from skelmo.training.objective import Evaluation

needs_callbacks = pytest.mark.skipif(
    importlib.util.find_spec("sklearn.callback") is None,
    reason="scikit-learn before 1.9 has no callbacks",
)


class Recorder:
    """A callback that keeps what it is told, and may ask to stop or fail."""

    def __init__(self, stop_at=None, fail_at=None):
        self.stop_at, self.fail_at = stop_at, fail_at
        self.events, self.contexts, self.data = [], [], []

    def _tell(self, what, context):
        self.events.append((what, context.task_name))
        if self.events[-1] == self.fail_at:
            raise RuntimeError("the callback broke")

    def setup(self, estimator, context):
        self._tell("setup", context)

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self._tell("begin", context)
        self.contexts.append(context)
        self.data.append((X, y))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None):
        self._tell("end", context)
        self.data.append((X, y))
        ended = [e for e in self.events if e == ("end", context.task_name)]
        return (context.task_name, len(ended)) == self.stop_at

    def teardown(self, estimator, context):
        self._tell("teardown", context)

    def count(self, what, task):
        return self.events.count((what, task))


class Propagated(Recorder):
    max_propagation_depth = None


class Collector(Recorder):
    """A callback that keeps the estimator as it would be after each task."""

    def __init__(self):
        super().__init__()
        self.estimators = {}

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.estimators.setdefault(context.task_name, []).append(fitted_estimator)


@pytest.fixture
def model(tiny):
    settings = {**tiny, "max_epochs": 3, "batch_tokens": 256}
    return ElmoLanguageModel(**settings)


@pytest.fixture
def worked(monkeypatch):
    """Return a list that gets an event at each training step and validation."""
    events = []

    def spy_on(name):
        method = getattr(LanguageModeling, name)

        def spy(self, *args):
            events.append(("work", name))
            return method(self, *args)

        monkeypatch.setattr(LanguageModeling, name, spy)

    spy_on("loss")
    spy_on("evaluate")
    return events


@needs_callbacks
def test_a_fit_is_a_task_of_epochs_of_steps(model, texts, worked):
    recorder = Recorder()
    recorder.events = worked
    assert model.set_callbacks(recorder) is model
    model.fit(texts)
    n_steps = recorder.contexts[1].max_subtasks
    assert n_steps > 3
    step = [("begin", "step"), ("work", "loss"), ("end", "step")]
    epoch = [
        ("begin", "epoch"), *n_steps * step, ("work", "evaluate"), ("end", "epoch")
    ]  # fmt: skip
    assert recorder.events == [
        ("setup", "fit"), ("begin", "fit"), *3 * epoch, ("end", "fit"),
        ("teardown", "fit"),
    ]  # fmt: skip
    root = recorder.contexts[0]
    assert (root.max_subtasks, root.parent) == (3, None)
    assert root.estimator_name == "ElmoLanguageModel"
    epochs = [c for c in recorder.contexts if c.task_name == "epoch"]
    assert [c.task_id for c in epochs] == [0, 1, 2]
    assert all(c.parent is root for c in epochs)


@needs_callbacks
def test_callbacks_change_nothing(model, texts):
    plain = clone(model).fit(texts)
    model.set_callbacks(Recorder(), Collector()).fit(texts)
    assert_same_weights(model.network_, plain.network_)
    assert not {name for name in vars(model) if "callback_" in name}


@needs_callbacks
def test_callbacks_get_the_documents_but_no_iterator(model, texts):
    recorder = Recorder()
    model.set_callbacks(recorder).fit(texts, "target")
    assert len(recorder.data) == 2 * len(recorder.contexts)
    assert all(X is texts and y == "target" for X, y in recorder.data)
    other, recorder = clone(model), Recorder()
    other.set_callbacks(recorder).fit(iter(texts))
    assert {X for X, _ in recorder.data} == {None}
    assert_same_weights(model.network_, other.network_)


@needs_callbacks
def test_many_steps_share_a_task(model, texts, monkeypatch, worked):
    recorder = Recorder()
    recorder.events = worked
    monkeypatch.setattr(callbacks, "TASKS_PER_EPOCH", 3)
    model.set_params(max_epochs=1, batch_tokens=64).set_callbacks(recorder).fit(texts)
    n_steps = recorder.count("work", "loss")
    each = -(-n_steps // 3)
    assert n_steps % each
    assert recorder.contexts[1].max_subtasks == 3
    sizes = [each, each, n_steps - 2 * each]
    tasks = [
        [("begin", "step"), *n * [("work", "loss")], ("end", "step")] for n in sizes
    ]
    assert recorder.events[3:-3] == [*sum(tasks, []), ("work", "evaluate")]


@pytest.fixture
def prescribed(model, monkeypatch):
    """Return a model whose second epoch is the best, whatever it learns."""

    def evaluate(self, max_units=None):
        vars(self).setdefault("perplexities", [9.0, 5.0, 7.0])
        perplexity = self.perplexities.pop(0)
        return Evaluation(math.log(perplexity), Perplexity(*3 * [perplexity]))

    monkeypatch.setattr(LanguageModeling, "evaluate", evaluate)
    return model.set_params(learning_rate="constant", warmup=0.0)


@needs_callbacks
def test_an_epoch_may_be_the_last(prescribed, texts):
    for n_epochs in (1, 2):
        recorder = Recorder(stop_at=("epoch", n_epochs))
        model = clone(prescribed).set_callbacks(recorder).fit(texts)
        assert model.n_epochs_ == recorder.count("end", "epoch") == n_epochs
        assert recorder.events[-2:] == [("end", "fit"), ("teardown", "fit")]
        short = clone(prescribed).set_params(max_epochs=n_epochs).fit(texts)
        assert_same_weights(model.network_, short.network_)


@needs_callbacks
def test_a_step_may_be_the_last_and_the_best_weights_are_restored(prescribed, texts):
    recorder = Recorder()
    clone(prescribed).set_callbacks(recorder).fit(texts)
    n_steps = recorder.contexts[1].max_subtasks
    recorder = Recorder(stop_at=("step", 2 * n_steps + 2))
    model = clone(prescribed).set_callbacks(recorder).fit(texts)
    assert recorder.count("begin", "step") == 2 * n_steps + 2
    assert recorder.events[-4:] == [
        ("end", "step"), ("end", "epoch"), ("end", "fit"), ("teardown", "fit")
    ]  # fmt: skip
    assert [record.validation_perplexity for record in model.history_] == [9, 5, 7]
    best = clone(prescribed).set_params(max_epochs=2).fit(texts)
    assert_same_weights(model.network_, best.network_)


@needs_callbacks
def test_any_callback_stops(model, texts):
    for order in (1, -1):
        both = [Recorder(stop_at=("epoch", 1)), Recorder()][::order]
        assert model.set_callbacks(*both).fit(texts).n_epochs_ == 1
        assert both[0].events == both[1].events


@needs_callbacks
@pytest.mark.parametrize("task", ["step", "epoch", "fit"])
@pytest.mark.parametrize("what", ["begin", "end"])
def test_an_error_of_a_callback_reaches_the_user(model, texts, what, task):
    recorder = Recorder(fail_at=(what, task))
    with pytest.raises(RuntimeError, match="^the callback broke$"):
        model.set_callbacks(recorder).fit(texts)
    assert recorder.events[-2:] == [(what, task), ("teardown", "fit")]
    recorder.fail_at = None
    assert model.fit(texts).n_epochs_ == 3


@needs_callbacks
def test_what_time_cuts_short_is_ended(model, texts):
    recorder = Recorder()
    model.set_params(max_time=1e-9).set_callbacks(recorder).fit(texts)
    assert recorder.events == [
        ("setup", "fit"), ("begin", "fit"), ("begin", "epoch"), ("begin", "step"),
        ("end", "step"), ("begin", "step"), ("end", "step"), ("end", "epoch"),
        ("end", "fit"), ("teardown", "fit"),
    ]  # fmt: skip
    collector = Collector()
    model.set_callbacks(collector).fit(texts)
    found = collector.estimators
    assert found["step"] == [None, None]
    assert [e.n_epochs_ for e in found["epoch"]] == [1]


@needs_callbacks
def test_what_divergence_cuts_short_is_ended(model, texts):
    recorder = Recorder()
    model.set_params(learning_rate_init=1e6, max_grad_norm=None, warmup=0.0)
    message = r"^The loss of ElmoLanguageModel became \S+ in epoch 1 .+$"
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model.set_callbacks(recorder).fit(texts)
    assert caught[0].filename == __file__
    for task in ("step", "epoch", "fit"):
        assert recorder.count("begin", task) == recorder.count("end", task) > 0


@needs_callbacks
def test_callbacks_may_have_the_estimator_as_if_an_epoch_were_the_last(
    prescribed, texts
):
    model, collector = prescribed, Collector()
    model.set_callbacks(collector).fit(texts)
    assert set(collector.estimators["step"]) == {None}
    assert len(collector.estimators["epoch"]) == 3
    for k, found in enumerate(collector.estimators["epoch"], start=1):
        short = clone(model).set_callbacks()
        short.set_params(max_epochs=k).fit(texts)
        assert_same_weights(found.network_, short.network_)
        assert not found.network_.training
        for name in ("vocabulary_", "n_epochs_", "n_tokens_", "config_",
                     "unknown_share_", "truncation_"):  # fmt: skip
            assert getattr(found, name) == getattr(short, name), name
        assert [r._replace(seconds=0) for r in found.history_] == [
            r._replace(seconds=0) for r in short.history_
        ]
        assert found.score(texts) == short.score(texts)
    (whole,) = collector.estimators["fit"]
    assert_same_weights(whole.network_, model.network_)
    assert whole.score(texts) == model.score(texts)


@needs_callbacks
def test_partial_fit_is_a_task_too(model, texts):
    collector = Collector()
    model.set_callbacks(collector).partial_fit(texts).partial_fit(texts)
    names = [(c.task_name, c.max_subtasks) for c in collector.contexts]
    assert [n for n, _ in names if n not in ("epoch", "step")] == ["partial_fit"] * 2
    assert names[0] == ("partial_fit", 1)
    assert [e.n_epochs_ for e in collector.estimators["epoch"]] == [1, 2]
    assert [len(e.history_) for e in collector.estimators["epoch"]] == [1, 2]
    assert collector.estimators["partial_fit"][1].n_tokens_ == model.n_tokens_
    copied = collector.estimators["epoch"][0].set_callbacks()
    assert_same_weights(copied.partial_fit(texts).network_, model.network_)


@needs_callbacks
def test_a_run_taken_up_has_the_tasks_that_are_left(model, texts, tmp_path):
    whole = clone(model).fit(texts)
    model.set_params(checkpoint=tmp_path)
    recorder = Recorder()
    clone(model).set_params(checkpoint=None).set_callbacks(recorder).fit(texts)
    n_steps = recorder.contexts[1].max_subtasks
    model.set_callbacks(Recorder(stop_at=("step", n_steps + 2))).fit(texts)
    recorder = Recorder()
    model.set_callbacks(recorder).fit(texts)
    epochs = [c for c in recorder.contexts if c.task_name == "epoch"]
    assert [c.max_subtasks for c in epochs] == [n_steps - 2, n_steps]
    assert recorder.count("end", "step") == 2 * n_steps - 2
    assert_same_weights(model.network_, whole.network_)


@needs_callbacks
def test_callbacks_are_cloned_by_reference_and_pickled(model, texts):
    recorder = Recorder()
    before = model.get_params(), repr(model)
    model.set_callbacks(recorder)
    assert (model.get_params(), repr(model)) == before
    clone(model).fit(texts)
    assert recorder.count("end", "fit") == 1
    model.fit(texts)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.score(texts) == model.score(texts)
    loaded.fit(texts)
    assert recorder.count("end", "fit") == 2  # the pickle has its own
    model.set_callbacks().fit(texts)
    assert recorder.count("end", "fit") == 2


@needs_callbacks
def test_only_callbacks_can_be_set(model):
    message = "callbacks must be instances following the FitCallback protocol."
    for wrong in (None, print, Recorder):
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            model.set_callbacks(wrong)


@needs_callbacks
def test_a_vectorizer_trains_the_language_model_with_its_callbacks(model, texts):
    recorder = Recorder(stop_at=("epoch", 2))
    vectorizer = ElmoVectorizer(language_model=model.set_callbacks(recorder))
    assert vectorizer.fit(texts).language_model_.n_epochs_ == 2
    assert recorder.events[-1] == ("teardown", "fit")


@needs_callbacks
def test_the_fit_of_a_vectorizer_holds_that_of_its_model(model, texts):
    vectorizer = ElmoVectorizer(language_model=model)
    plain = clone(vectorizer).set_params(cache=None).fit_transform(texts)
    recorder, outer = Propagated(), Recorder()
    vectorizer.set_callbacks(recorder, outer)
    np.testing.assert_allclose(vectorizer.fit_transform(texts), plain, atol=1e-6)
    # The fit of the model stands for the task that it is within the other.
    begun = [task for what, task in recorder.events if what == "begin"]
    assert begun[:3] == ["fit", "fit", "epoch"]
    assert recorder.count("end", "epoch") == 3
    assert recorder.count("end", "fit") == 2
    inner = recorder.contexts[1]
    assert inner.estimator_name == "ElmoLanguageModel"
    assert inner.source_task_name == "language-model"
    assert inner.parent.estimator_name == inner.source_estimator_name
    assert inner.source_estimator_name == "ElmoVectorizer"
    # A callback that is not passed on hears of the vectorizer alone.
    assert outer.events == [
        ("setup", "fit"), ("begin", "fit"), ("begin", "language-model"),
        ("end", "language-model"), ("end", "fit"), ("teardown", "fit"),
    ]  # fmt: skip
    assert outer.data[0][0] is texts
    # The model is remembered: there is no epoch to tell of.
    vectorizer.set_callbacks(again := Propagated()).fit(texts)
    assert again.count("end", "fit") == 1
    assert again.count("begin", "epoch") == 0
    assert not {name for name in vars(vectorizer) if "callback_" in name}


@needs_callbacks
def test_the_fit_of_a_vectorizer_that_trains_nothing_is_a_task(frozen, texts):
    vectorizer = ElmoVectorizer(language_model=frozen).set_callbacks(
        recorder := Recorder()
    )
    vectorizer.fit(iter(texts))
    assert recorder.events == [
        ("setup", "fit"), ("begin", "fit"), ("end", "fit"), ("teardown", "fit")
    ]  # fmt: skip
    assert {X for X, _ in recorder.data} == {None}


@needs_callbacks
def test_a_pipeline_passes_its_callbacks_on(model, texts):
    recorder = Propagated(stop_at=("epoch", 2))
    pipe = make_pipeline(model).set_callbacks(recorder).fit(texts)
    assert pipe[-1].n_epochs_ == 2
    root = next(c for c in recorder.contexts if c.estimator_name == "ElmoLanguageModel")
    assert root.source_estimator_name == "Pipeline"
    assert recorder.count("end", "epoch") == 2
    assert recorder.count("setup", "fit") == recorder.count("teardown", "fit") == 1
    assert not hasattr(model, "_skl_callbacks")


@needs_callbacks
def test_a_pipeline_keeps_the_callbacks_of_a_step(model, texts):
    recorder = Recorder()
    vectorizer = ElmoVectorizer(language_model=model.set_callbacks(recorder))
    make_pipeline(vectorizer, LogisticRegression()).fit(texts, np.arange(120) % 2)
    assert recorder.count("end", "epoch") == 3


@pytest.mark.slow
@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_passes_its_callbacks_on(model, texts, n_jobs):
    recorder = Propagated()
    search = GridSearchCV(model, {"dropout": [0.0, 0.2]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(recorder).fit(texts * 2)
    plain = GridSearchCV(model, {"dropout": [0.0, 0.2]}, cv=2).fit(texts * 2)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )
    roots = [
        c for c in recorder.contexts
        if c.estimator_name == "ElmoLanguageModel" and c.task_name == "fit"
    ]  # fmt: skip
    # Workers have copies of their own; the last fit, of the best, is always here.
    n_fits = 5 if n_jobs == 1 else 1
    assert len(roots) == n_fits
    assert {c.source_estimator_name for c in roots} == {"GridSearchCV"}
    assert (
        recorder.count("begin", "epoch") == recorder.count("end", "epoch") == 3 * n_fits
    )
    assert recorder.count("setup", "fit") == 1


def perplexity_of(estimator, X, y):
    return {"perplexity": estimator.perplexity(X).mean}


@needs_callbacks
def test_a_search_of_monitored_models(model, texts):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring=perplexity_of)
    model.set_params(max_epochs=2, verbose=0).set_callbacks(monitor)
    search = GridSearchCV(model, {"dropout": [0.0, 0.2]}, cv=2)
    X = texts * 2
    search.fit(X, np.zeros(len(X)))
    log = monitor.get_logs().data_as_pandas
    assert log["task_name"].value_counts().to_dict() == {"epoch": 10, "fit": 5}
    final = search.best_estimator_.perplexity(X).mean
    last = log[log["task_name"] == "fit"]
    refit = last[last["task_id_path"].str.len() == 2]
    assert refit["perplexity"].item() == pytest.approx(final, rel=1e-6)


@needs_callbacks
@pytest.mark.parametrize("n_fits", [1, 5])
def test_the_bar_of_scikit_learn_shows_epochs(model, texts, capsys, n_fits):
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar needs rich")
    from sklearn.callback import ProgressBar

    owner = model
    if n_fits > 1:
        owner = GridSearchCV(model, {"dropout": [0.0, 0.2]}, cv=2)
    owner.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(texts * 2)
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if "ElmoLanguageModel - epo" in line]
    assert len(lines) == 3 * n_fits
    assert all("100%" in line for line in lines)
    assert err == ""


def test_without_callbacks_nothing_is_set_up(model, texts, monkeypatch):
    tasks = callbacks.FitTasks(object(), "fit", 3, texts, None)
    assert tasks.take_up(None) is None
    assert tasks.begin_epoch(0, 5, 0) is None
    assert tasks.end_step(1.0, 5, 0.1) is False
    assert tasks.end_epoch(None) is False
    tasks.end()

    def fail(*args, **kwargs):
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr(
        ElmoLanguageModel, "_init_callback_context", fail, raising=False
    )
    assert weights_of(model.fit(texts).network_)


def test_scikit_learn_may_be_without_callbacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("again", callbacks.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert again.CallbackSupportMixin.__module__ == "again"
    assert not hasattr(again.CallbackSupportMixin, "set_callbacks")


@needs_callbacks
@pytest.mark.parametrize("tune", ["all", "none"])
def test_the_training_of_a_head_is_a_fit_of_epochs_of_steps(frozen, texts, tune):
    callback, y = Recorder(), np.arange(len(texts)) % 2
    classifier = ElmoClassifier(frozen, tune=tune, max_iter=2, random_state=0)
    classifier.set_callbacks(callback).fit(texts, y)
    assert callback.count("begin", "epoch") == callback.count("end", "epoch") == 2
    n_steps = 2 * math.ceil(len(texts) / classifier.batch_size)
    assert callback.count("end", "step") == n_steps
    plain = ElmoClassifier(frozen, tune=tune, max_iter=2, random_state=0)
    expected = plain.fit(texts, y).predict_proba(texts)
    np.testing.assert_array_equal(classifier.predict_proba(texts), expected)


@needs_callbacks
def test_a_callback_may_end_the_training_of_a_head(frozen, texts):
    callback, y = Recorder(stop_at=("epoch", 1)), np.arange(len(texts)) % 2
    classifier = ElmoClassifier(frozen, tune="none", max_iter=5, random_state=0)
    assert classifier.set_callbacks(callback).fit(texts, y).n_iter_ == 1
