"""Learn from documents what a head is to tell of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.models.history import HeadRecord
from skelmo.nn.modes import modes
from skelmo.nn.packing import cut_by_budget
from skelmo.nn.randomness import torch_generator
from skelmo.training.objective import EpochEnd, Evaluation
from skelmo.training.state import TrainingOptions
from skelmo.training.task import Task
from skelmo.training.tuned_network import TunedNetwork

# Documents are sorted by length within pools of so many batches: long ones share a
# batch, and yet a batch's documents differ from epoch to epoch.
BATCHES_PER_POOL = 8
STANDARDIZED_BY = 1000  # documents at most that means and variances are taken from


class TokenInputs(Protocol):
    """Where the activations of documents' tokens come from."""

    lengths: NDArray[np.int64]  # tokens of each document

    def __call__(
        self, documents: NDArray[np.int64], generator: torch.Generator | None = None
    ) -> Tensor:
        """Return those of some documents, ascending: (n, L + 1, 2P)."""


class Examples(NamedTuple):
    """Documents to learn from."""

    place: NDArray[np.int64]  # (N,), which of the distinct documents each is
    targets: Tensor  # (N,), int64, or (N, K), float32: see `Task`
    weight: NDArray[np.float32]  # (N,), mean 1


class Batch(NamedTuple):
    """What a step reads."""

    examples: NDArray[np.int64]
    depth: int  # what is trained: so many blocks of the language model


class Finetuning:
    """The objective of a head, and of the language model under it.

    Its units are documents.

    Parameters
    ----------
    network : TunedNetwork
    inputs : TokenInputs
    task : Task
    examples : Examples
    train : ndarray of int64
        Examples to train on.
    validation : ndarray of int64
        Examples held out; may be empty.
    options : TrainingOptions
        Its `batch_tokens` bound a batch, too.
    batch_size : int, default=32
        Documents of a batch.
    depth : int, default=0
        Blocks of the language model that are trained, from the top.
    unfreeze : bool, default=False
        Whether they are so one after the other, a block more in each epoch.
    """

    record_type = HeadRecord

    def __init__(
        self,
        network: TunedNetwork,
        inputs: TokenInputs,
        task: Task,
        examples: Examples,
        train: NDArray[np.int64],
        validation: NDArray[np.int64],
        options: TrainingOptions,
        *,
        batch_size: int = 32,
        depth: int = 0,
        unfreeze: bool = False,
    ) -> None:
        self.module, self.inputs, self.task = network, inputs, task
        self.examples, self.options = examples, options
        self.train, self.validation = train, validation
        self.batch_size, self.depth, self.unfreeze = batch_size, depth, unfreeze
        self.units_per_epoch = len(train)
        self.lengths = inputs.lengths[examples.place]

    @property
    def worst_loss(self) -> float:
        """That of the task."""
        return self.task.worst_loss

    def batches(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch, in its order."""
        rng = np.random.default_rng([self.options.seed, epoch])
        order = self.train[rng.permutation(len(self.train))]
        depth = min(self.depth, epoch) if self.unfreeze else self.depth
        batches = []
        n_in_pool = BATCHES_PER_POOL * self.batch_size
        for start in range(0, len(order), n_in_pool):
            pool = order[start : start + n_in_pool]
            batches += list(self._cut(pool, self.batch_size))
        return [Batch(batches[k], depth) for k in rng.permutation(len(batches))]

    def _cut(
        self, examples: NDArray[np.int64], at_most: int | None = None
    ) -> Iterator[NDArray[np.int64]]:
        """Cut examples into batches, the longest first."""
        longest_first = examples[np.argsort(-self.lengths[examples], kind="stable")]
        lengths = self.lengths[longest_first] + 1
        for cut in cut_by_budget(lengths, self.options.batch_tokens, at_most):
            yield longest_first[cut]

    def n_units(self, batch: Batch) -> int:
        """Return the documents of a batch."""
        return len(batch.examples)

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return the mean loss of a document, by the weights of documents."""
        self.module.train_down_to(batch.depth)
        examples = self.examples
        generator = torch_generator(rng, examples.targets.device)
        outputs = self._outputs(batch.examples, generator)
        losses = self.task.losses(
            outputs, examples.targets[batch.examples], smooth=True
        )
        weight = torch.from_numpy(examples.weight[batch.examples])
        return (losses * weight.to(losses.device)).mean()

    def _outputs(
        self, examples: NDArray[np.int64], generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the outputs of examples, those that are alike computed once."""
        documents, rows = np.unique(self.examples.place[examples], return_inverse=True)
        activations = self.inputs(documents, generator)
        device = activations.device
        lengths = torch.from_numpy(self.inputs.lengths[documents]).to(device)
        outputs: Tensor = self.module.head(activations, lengths, generator)
        return outputs[torch.from_numpy(rows).to(device)]

    @modes(grad=False)
    def standardize(self) -> None:
        """Have the head standardise what it pools now, by training documents."""
        places, weight = self.examples.place[self.train], self.examples.weight
        documents, where = np.unique(places, return_inverse=True)
        total = np.bincount(where, weight[self.train])
        chosen = self._some(np.arange(len(documents)), STANDARDIZED_BY, 3)
        chosen = chosen[self.inputs.lengths[documents[chosen]] > 0]
        documents, total = documents[chosen], total[chosen]
        if not len(documents):
            return
        lengths, head = self.inputs.lengths[documents], self.module.head
        pooled = []
        for some in cut_by_budget(lengths, self.options.batch_tokens):
            activations = self.inputs(documents[some])
            sizes = torch.from_numpy(lengths[some]).to(activations.device)
            pooled.append(head.pooling(head.mix(activations), sizes))
        found = torch.cat(pooled)
        head.standardization.find(found, torch.from_numpy(total).to(found.device))

    @modes(grad=False)
    def evaluate(self, max_units: int | None = None) -> Evaluation | None:
        """Return loss and score of what is held out.

        Parameters
        ----------
        max_units : int, optional
            Read a sample of so many documents at most, but of one at least.

        Returns
        -------
        evaluation : Evaluation or None
            None if nothing is held out.
        """
        if not len(self.validation):
            return None
        parts = list(self._cut(self._some(self.validation, max_units, 1)))
        outputs = [self._outputs(part) for part in parts]
        targets = [self.examples.targets[part] for part in parts]
        losses = [
            self.task.losses(*pair, smooth=False)
            for pair in zip(outputs, targets, strict=True)
        ]
        weight = self.examples.weight[np.concatenate(parts)].astype(np.float64)
        loss = float(np.average(_doubles(losses), weights=weight))
        score = self.task.score(_doubles(outputs), _doubles(targets), weight)
        return Evaluation(loss, score)

    def _some(
        self, which: NDArray[np.int64], at_most: int | None, stream: int
    ) -> NDArray[np.int64]:
        """Return all or, ascending, some of what is given, which the seed decides."""
        if at_most is None or len(which) <= at_most:
            return which
        # Longer than the keys of batches and steps, none of which it equals.
        rng = np.random.default_rng([self.options.seed, 0, 0, stream])
        return np.sort(rng.permutation(which)[: max(1, at_most)])

    def record(self, end: EpochEnd, evaluation: Evaluation | None) -> HeadRecord:
        """Return a row of the history."""
        if evaluation is None:
            return HeadRecord(*end, math.nan, math.nan)
        return HeadRecord(*end, evaluation.loss, evaluation.quality)


def _doubles(parts: list[Tensor]) -> NDArray[np.float64]:
    return torch.cat(parts).double().cpu().numpy()
