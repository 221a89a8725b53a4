"""What a classifier and a regressor of documents share: a head on a language model."""

from __future__ import annotations

import copy
import math
import os
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skelmo.encoding.caches import cache_of
from skelmo.encoding.document_outputs import DocumentOutputs
from skelmo.estimators.adaptation import adapt
from skelmo.estimators.base import (
    DocumentEstimator,
    checked_version,
    warn_of_misfit,
    warn_of_slow_precision,
)
from skelmo.estimators.callbacks import FitTasks
from skelmo.estimators.head_training import (
    FROZEN,
    HeadTraining,
    Targets,
    options_of,
    plan_of,
    settings_of,
)
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.model_choice import analyzer_of, model_to_be, train_inside
from skelmo.estimators.parameters import LANGUAGE_MODEL
from skelmo.estimators.pickled_model import PickledModel, unpickled_model
from skelmo.models.history import HeadRecord
from skelmo.models.source import source_of
from skelmo.models.trained import TrainedModel
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.heads import HEADS
from skelmo.text.distinct import Distinct, index_distinct
from skelmo.training.finetuning import Examples
from skelmo.training.progress import ProgressBar
from skelmo.training.state import Observers
from skelmo.training.tuning import TUNE, Documents, Tuned, hold_out
from skelmo.validation import check_not_empty, column_name, stack_level
from skelmo.version import __version__

_OF_BOTH = (
    "tokenizer", "sentence_splitter", "input", "solver", "learning_rate",
    "learning_rate_init", "alpha", "l1", "dropout", "max_grad_norm", "max_time",
    "early_stopping", "validation_fraction", "n_iter_no_change", "tol", "warm_start",
    "checkpoint", "checkpoint_every", "precision", "random_state", "verbose",
)  # fmt: skip

PREDICTOR: dict[str, list[Any]] = {
    **{name: LANGUAGE_MODEL[name] for name in _OF_BOTH},
    "language_model": [str, os.PathLike, ElmoLanguageModel, FrozenEstimator, None],
    "missing": [StrOptions({"error", "empty"})],
    "unknown_words": [StrOptions({"nearest", "characters"})],
    "head": [StrOptions(set(HEADS))],
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "n_filters": [Interval(Integral, 1, None, closed="left")],
    "kernel_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "n_attention_heads": [Interval(Integral, 1, None, closed="left")],
    "tune": [StrOptions(set(TUNE))],
    "learning_rate_decay": [Interval(Real, 0, 1, closed="right")],
    "unfreeze": [StrOptions({"gradual"}), None],
    "adapt_epochs": [Interval(Integral, 0, None, closed="left")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "max_batch_tokens": [Interval(Integral, 1, None, closed="left")],
    "cache": [str, os.PathLike, None],
    "store_weights": ["boolean", StrOptions({"auto"})],
    "device": [str, None],
}


class DocumentPredictor(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentEstimator
):
    """A head on a language model, trained by targets of documents.

    A subclass has the parameters of `PREDICTOR`, and says what targets are.
    """

    _decisive = (
        *DocumentEstimator._decisive,
        "unknown_words",
        "precision",
        "tune",
    )

    @abstractmethod
    def _targets(
        self, y: Any, sample_weight: Any, classes: Any, *, goes_on: bool
    ) -> Targets:
        """Return targets as a head learns them; `goes_on` those of what is fitted."""

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the vector of each document that the layers above the pooling read.

        Parameters
        ----------
        X : iterable of str
            Of an iterator, only a part is in memory at a time.

        Returns
        -------
        pooled : ndarray of shape (n_documents, n_features), float32
            Zeros for a document without tokens.
        """
        reading, documents = self._reading(X)
        return reading.pooled(documents)

    @property
    def history_(self) -> list[HeadRecord]:
        """A row for each epoch."""
        return list(self._fitted("history_").history)

    @property
    def n_iter_(self) -> int:
        """Epochs trained."""
        return len(self._fitted("n_iter_").history)

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of each epoch."""
        return [row.train_loss for row in self._fitted("loss_curve_").history]

    @property
    def validation_scores_(self) -> list[float] | None:
        """Score of what was held out, after each epoch; None if nothing was."""
        rows = self._fitted("validation_scores_").history
        if not rows or math.isnan(rows[-1].validation_loss):
            return None
        return [row.validation_score for row in rows]

    @property
    def best_validation_score_(self) -> float | None:
        """Score of what was held out in the epoch whose weights are kept, or None."""
        self._fitted("best_validation_score_")
        rows = [row for row in self.history_ if not math.isnan(row.validation_loss)]
        if not rows:
            return None
        return min(rows, key=lambda row: row.validation_loss).validation_score

    @property
    def _n_features_out(self) -> int:
        """Length of what `transform` gives, for the names of features."""
        return self.head_.config.n_pooled

    def __getstate__(self) -> dict[str, Any]:
        """Leave it to the model's own pickle what is stored of the weights."""
        state = super().__getstate__()
        if "language_model_" in state:
            model = PickledModel(
                self.language_model_,
                self._source,
                self.store_weights,
                type(self),
                self._base,
            )
            state = {**state, "_skelmo_version": __version__, "language_model_": model}
            del state["_base"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read the weights again, if they were left out."""
        if "language_model_" in state:
            owner = type(self).__name__
            state = checked_version(state, owner)
            model, base = unpickled_model(state["language_model_"], owner)
            state = {**state, "language_model_": model, "_base": base}
            state["head_"] = state["head_"].to(model.model_.device)
        super().__setstate__(state)

    def _fitted(self, name: str) -> TrainedHead:
        """Return the head for one of the properties."""
        if "head_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no {name!r} yet")
        return self.head_

    def _outputs(self, X: Any) -> NDArray[np.float64]:
        reading, documents = self._reading(X)
        return reading(documents)

    def _reading(self, X: Any) -> tuple[DocumentOutputs, Iterable[Any]]:
        """Return what reads documents, and them, checked."""
        documents = self._check(X)
        parameters, model = self._as_fitted, self.language_model_
        owner = type(self).__name__
        warn_of_slow_precision(parameters.precision, model.model_.device, owner)
        is_frozen = parameters.tune in FROZEN
        reading = DocumentOutputs(
            model.model_,
            analyzer_of(model, parameters),
            self.head_,
            settings_of(parameters),
            # Activations of a language model of one's own are of no use to others.
            parameters.cache if is_frozen else None,
            parameters.verbose,
        )
        found = _filled(documents, parameters.input)
        return reading, found if isinstance(X, Iterator) else list(found)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        unlabeled: Any = None,
        *,
        one_pass: bool = False,
        classes: Any = None,
    ) -> Any:
        """Read documents and train on them, telling the callbacks."""
        owner = type(self).__name__
        self._check_together(owner)
        name = column_name(X, owner)
        goes_on = "head_" in vars(self) and (one_pass or self.warm_start)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        targets = self._targets(y, sample_weight, classes, goes_on=goes_on)
        model = copy.copy(self.language_model_) if goes_on else model_to_be(self)
        documents = _filled(self._read(X, self._as_set), self.input)
        distinct = index_distinct(documents, analyzer_of(model, self._as_set))
        check_not_empty(len(distinct.place), owner)
        check_consistent_length(distinct.place, targets.values)
        if goes_on:
            base, source = self._base, self._source
        else:
            source = source_of(self.language_model)
            base = self._read_by(model, distinct, X)
            if self.adapt_epochs and not one_pass:
                model = copy.copy(model)
                model._take(adapt(self, model, distinct, unlabeled, seed))
        warn_of_slow_precision(self.precision, model.model_.device, owner)
        run = self._run(model, distinct, targets, seed, one_pass=one_pass)
        tasks = FitTasks(
            self, "partial_fit" if one_pass else "fit", run.options.max_epochs, X, y
        )

        def fitted(tuned: Tuned) -> dict[str, Any]:
            own = copy.copy(model)
            own._take(tuned.model)
            found = {"language_model_": own, "head_": tuned.head}
            return {**targets.fitted, **found, "_base": base, "_source": source}

        bar = ProgressBar(
            run.options.max_epochs, self.verbose, self.max_time, shows_perplexity=False
        )
        with closing(bar):
            tuned = run(
                Observers(bar, tasks),
                owner,
                self.head_ if goes_on else None,
                lambda so_far: tasks.watch(lambda: fitted(so_far())),
                goes_on=goes_on and one_pass,
            )
        for each, value in fitted(tuned).items():
            setattr(self, each, value)
        self._note_column(name, X)
        self._fix_parameters()
        tasks.end()
        return self

    def _read_by(
        self, model: ElmoLanguageModel, distinct: Distinct, X: Any
    ) -> TrainedModel:
        """Return the trained language model, trained here if it is to be."""
        if "model_" not in vars(model):
            train_inside(self, model, distinct, X, None)
        else:
            owner = type(self).__name__
            warn_of_misfit(model.model_, distinct.sequences, owner)
        return model.model_

    def _run(
        self,
        model: ElmoLanguageModel,
        distinct: Distinct,
        targets: Targets,
        seed: int,
        *,
        one_pass: bool,
    ) -> HeadTraining:
        """Make a run ready."""
        trained, parameters = model.model_, self._as_set
        used = np.flatnonzero(targets.weight)
        held_out = used[:0]
        if self.early_stopping and not one_pass:
            used, held_out = hold_out(
                targets.values,
                used,
                self.validation_fraction,
                seed,
                stratify=targets.kind == "classes",
            )
        weight = targets.weight
        if not one_pass:  # which knows no other parts, to be weighed against
            weight = weight / weight[used].mean()
        values = torch.from_numpy(targets.values).to(trained.device)
        examples = Examples(distinct.place, values, weight)
        documents = Documents(distinct.sequences, examples, used, held_out)
        plan = plan_of(parameters, targets, trained, type(self).__name__)
        if one_pass:
            plan = replace(plan, checkpoint=None)
        options = options_of(parameters, seed, trained.device, len(used), one_pass)
        return HeadTraining(documents, distinct, trained, plan, options, parameters)

    def _check_together(self, owner: str) -> None:
        """Raise or warn, before there is work, if parameters do not go together."""
        cache_of(self.cache)  # refuses what is nearly a keyword
        if self.checkpoint is not None and self.random_state is None:
            warnings.warn(
                f"checkpoint={os.fspath(self.checkpoint)!r} of {owner} will not be "
                f"found again: with random_state=None every run is another one. Set "
                f"random_state to an integer.",
                stacklevel=stack_level(),
            )


def _filled(documents: Iterator[Any], input: str) -> Iterator[Any]:
    """Pass documents on, with one that has no tokens for each that is missing."""
    for document in documents:
        if document is None:
            yield "" if input == "text" else []
        else:
            yield document
