"""Gradients of word vectors, of which a step reads a few rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from skelmo.nn.bilm import LanguageModel
from skelmo.nn.softmax import SoftmaxLoss


@contextmanager
def sparse_word_gradients(model: LanguageModel) -> Iterator[None]:
    """Let what is computed give gradients of the rows of words that it reads.

    Without it each reading of some words makes a gradient of all of them, of which
    nearly all rows are zeros.

    Parameters
    ----------
    model : LanguageModel
    """
    parts: list[SoftmaxLoss | nn.Embedding] = [model.softmax]
    if model.bilm.token_encoder.word_embedding is not None:
        parts.append(model.bilm.token_encoder.word_embedding)
    for part in parts:
        part.sparse = True
    try:
        yield
    finally:
        for part in parts:
            part.sparse = False


class DenseGradients:
    """Turns sparse gradients into dense ones, in memory that lasts for a run.

    Solvers and clipping take dense ones alone. New memory for each step would cost
    several times what the sums do, for it has to be handed out page by page.
    """

    def __init__(self) -> None:
        self._tables: dict[int, Tensor] = {}

    def set(self, parameters: Iterable[Tensor]) -> None:
        """Make the gradients of parameters dense.

        Parameters
        ----------
        parameters : iterable of torch.Tensor
            The same at each call. A gradient that is dense, or missing, stays as it
            is; what others are made into is overwritten the next time.
        """
        for k, parameter in enumerate(parameters):
            gradient = parameter.grad
            if gradient is None or not gradient.is_sparse:
                continue
            if k not in self._tables:
                self._tables[k] = torch.empty_like(parameter, requires_grad=False)
            parameter.grad = self._tables[k].zero_().add_(gradient)
