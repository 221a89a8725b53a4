"""Training told to scikit-learn's callbacks, where scikit-learn (1.9) has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from skelmo.training.state import TrainingState

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stand in for the class that scikit-learn before 1.9 lacks: no callbacks."""


# scikit-learn keeps every task to the end, and its progress bar sums over all tasks of
# an epoch at each of them: more steps than this share tasks.
TASKS_PER_EPOCH = 1000


class FitTasks:
    """An observer that tells callbacks: a fit is a task, in it epochs, in them steps.

    Without callbacks on the estimator it does nothing. A callback that asks to stop, at
    the end of a step or of an epoch, stops training.

    Parameters
    ----------
    estimator : ElmoLanguageModel, ElmoClassifier or ElmoRegressor
        Within its `fit` or `partial_fit`.
    name : str
        Of the task that the whole is.
    max_epochs : int
    X : object
        What the callbacks get as such. An iterator is left alone: one pass is all it
        has.
    y : object
        What the callbacks get as such.
    """

    def __init__(
        self, estimator: Any, name: str, max_epochs: int, X: Any, y: Any
    ) -> None:
        self.estimator = estimator
        self.data = _data(X, y)
        self.fitted: Callable[[], dict[str, Any]] | None = None
        self.running: list[Any] = []  # contexts of the fit, the epoch and the step
        self.n_left = self.n_steps = self.n_done = 0
        if getattr(estimator, "_skl_callbacks", None):
            root = estimator._init_callback_context(name, max_subtasks=max_epochs)
            self._begin(root)

    def watch(self, so_far: Callable[[], dict[str, Any]]) -> None:
        """Take a function that returns the fitted attributes, were training to stop."""
        self.fitted = so_far

    def take_up(self, state: TrainingState) -> None:
        """Do nothing: the epochs behind are no tasks of this fit."""

    def begin_epoch(self, epoch: int, n_steps: int, n_done: int) -> None:
        """Begin an epoch and its first step."""
        if not self.running:
            return
        self.n_left = n_steps - n_done
        self.n_steps = max(1, -(-self.n_left // TASKS_PER_EPOCH))  # of a task
        n_tasks = -(-self.n_left // self.n_steps)
        self._begin(self.running[0].subcontext("epoch", max_subtasks=n_tasks))
        self._begin_step()

    def end_step(self, loss: float, n_tokens: int, learning_rate: float) -> bool:
        """End a step, and begin the next."""
        if not self.running:
            return False
        self.n_left -= 1
        self.n_done += 1
        if self.n_left and self.n_done < self.n_steps:
            return False
        stop = self._end()
        if not stop:
            self._begin_step()
        return stop

    def end_epoch(self, record: Any) -> bool:
        """End an epoch; callbacks may see the estimator as it would be now."""
        if not self.running:
            return False
        self._end_down_to(2)
        return self._end(self.fitted)

    def end(self) -> None:
        """End the fit, when the estimator has its fitted attributes."""
        if self.running:
            self._end_down_to(1)
            self._end(dict)

    def _begin(self, context: Any) -> None:
        context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        self.running.append(context)

    def _begin_step(self) -> None:
        self.n_done = 0
        if self.n_left:
            self._begin(self.running[-1].subcontext("step"))

    def _end(self, fitted: Callable[[], dict[str, Any]] | None = None) -> bool:
        return self.running.pop().call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=fitted, **self.data
        )

    def _end_down_to(self, n_running: int) -> None:
        """End what a limit of time or a diverging loss has cut short."""
        while len(self.running) > n_running:
            self._end()


def _data(X: Any, y: Any) -> dict[str, Any]:
    """Return what callbacks get: an iterator is left alone."""
    return {"X": None if isinstance(X, Iterator) else X, "y": y}


@contextmanager
def fit_task(estimator: Any, X: Any, y: Any) -> Iterator[Any]:
    """Tell callbacks of a fit that may train another estimator in it.

    Parameters
    ----------
    estimator : ElmoVectorizer
        Within its `fit`.
    X : object
        What the callbacks get as such, an iterator apart.
    y : object
        What the callbacks get as such.

    Yields
    ------
    task : sklearn.callback.CallbackContext or None
        For `training_task`; None if nobody listens.
    """
    listening = getattr(estimator, "_skl_callbacks", None)
    if not listening and not hasattr(estimator, "_parent_callback_ctx"):
        yield None
        return
    data = _data(X, y)
    task = estimator._init_callback_context("fit", max_subtasks=None)
    task.call_on_fit_task_begin(estimator=estimator, **data)
    yield task
    task.call_on_fit_task_end(
        estimator=estimator, reconstruction_attributes=dict, **data
    )


@contextmanager
def training_task(task: Any, estimator: Any, model: Any) -> Iterator[None]:
    """Let a model that is trained within a fit tell the callbacks of that fit.

    Parameters
    ----------
    task : sklearn.callback.CallbackContext or None
        Of the fit.
    estimator : ElmoVectorizer
        Whose fit it is.
    model : ElmoLanguageModel
        To be trained.
    """
    if task is None:
        yield
        return
    inner = task.subcontext(task_name="language-model")
    with inner.propagate_callback_context(model):
        inner.call_on_fit_task_begin(estimator=estimator)
        yield
        inner.call_on_fit_task_end(estimator=estimator)
