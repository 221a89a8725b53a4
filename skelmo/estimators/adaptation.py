"""The language model goes through a task's own texts before a head is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from typing import Any

import torch

from skelmo.encoding.caches import models_directory
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.model_choice import analyzer_of
from skelmo.estimators.training_key import training_key
from skelmo.models import shared
from skelmo.models.trained import TrainedModel
from skelmo.scoring.likelihood import check_softmax
from skelmo.text.distinct import Distinct
from skelmo.text.documents import stream_documents
from skelmo.text.sequences import Sequences, index_documents
from skelmo.training.plan import options_from, plan_from
from skelmo.training.pretraining import pretrain
from skelmo.training.progress import ProgressBar

# Lower than from random weights: what was learned of other texts is to stay.
LEARNING_RATE = 5e-4


def adapt(
    estimator: Any,
    model: ElmoLanguageModel,
    distinct: Distinct,
    unlabeled: Any,
    seed: int,
) -> TrainedModel:
    """Train a language model on, unless the same was done before.

    Parameters
    ----------
    estimator : ElmoClassifier or ElmoRegressor
        Within its fit; has the parameters `adapt_epochs`, `checkpoint`,
        `checkpoint_every`, `cache`, `precision` and `verbose`.
    model : ElmoLanguageModel
        Fitted. Stays as it is.
    distinct : Distinct
        Documents of the fit.
    unlabeled : iterable of str, os.PathLike or None
        More documents, as `ElmoLanguageModel` takes them.
    seed : int

    Returns
    -------
    model : TrainedModel

    Raises
    ------
    ValueError
        If the model predicts no words.
    """
    owner, before = type(estimator).__name__, model.model_
    check_softmax(before, owner, "adapt its language model")
    sequences = index_documents(_all_documents(estimator, model, distinct, unlabeled))
    embedding = before.network.bilm.token_encoder.word_embedding
    is_tied = embedding is not None and (
        embedding.weight is before.network.softmax.weight
    )
    parameters = ElmoLanguageModel(
        max_epochs=estimator.adapt_epochs,
        learning_rate="slanted",
        learning_rate_init=LEARNING_RATE,
        early_stopping=False,
        tie_weights=is_tied,
        word_embedding_dim=before.config.word_embedding_dim,
        proj_size=before.config.proj_size,
        checkpoint=estimator.checkpoint,
        checkpoint_every=estimator.checkpoint_every,
        precision=estimator.precision,
        device=str(before.device),
        random_state=seed,
    ).get_params()

    def train() -> TrainedModel:
        device = torch.device(parameters["device"])
        options = options_from(parameters, seed, device)
        plan = plan_from(parameters, owner)
        bar = ProgressBar(options.max_epochs, estimator.verbose)
        with closing(bar):
            return pretrain(
                sequences, plan, options, bar, owner=owner, start=before, goes_on=True
            )

    if estimator.cache is None:
        return train()
    key = training_key(parameters, sequences)
    return shared.get_or_train(
        None if key is None else sha256(before.digest + key).digest(),
        train,
        device=before.device,
        owner=owner,
        directory=models_directory(estimator.cache),
    )


def _all_documents(
    estimator: Any, model: ElmoLanguageModel, distinct: Distinct, unlabeled: Any
) -> Iterator[list[list[str]]]:
    """Yield the sequences of each document, those of the fit first."""
    yield from _documents_of(distinct.repeated)
    if unlabeled is None:
        return
    analyze = analyzer_of(model, estimator._as_set)
    for document in stream_documents(
        unlabeled,
        owner=type(estimator).__name__,
        missing=estimator.missing,
        input=estimator.input,
    ):
        yield [] if document is None else analyze(document)


def _documents_of(sequences: Sequences) -> Iterator[list[list[str]]]:
    """Yield what documents were before they were indexed."""
    tokens, bounds = sequences.tokens, sequences.offsets.tolist()
    for first, stop in pairwise(sequences.document_offsets.tolist()):
        spans = [range(bounds[s] + 1, bounds[s + 1] - 1) for s in range(first, stop)]
        ids = [sequences.token_ids[span.start : span.stop] for span in spans]
        yield [[tokens[k] for k in part.tolist()] for part in ids]
