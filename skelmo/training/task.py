"""What is to be told of documents: losses, scores, and what outputs mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What a head's outputs are to tell of a document.

    Parameters
    ----------
    kind : {"classes", "labels", "numbers"}
        One of some classes, by a softmax; labels that each hold or not, by a sigmoid
        each; or numbers, as they are.
    n_outputs : int
        K.
    label_smoothing : float, default=0.0
        Share of a class that training gives to all of them alike, likewise of a label
        to its opposite.
    """

    kind: str
    n_outputs: int
    label_smoothing: float = 0.0

    @property
    def worst_loss(self) -> float:
        """A hundred times what guessing costs: that is no training."""
        return 100.0 * math.log(max(10, self.n_outputs))

    def losses(self, outputs: Tensor, targets: Tensor, *, smooth: bool) -> Tensor:
        """Return the loss of each document.

        Parameters
        ----------
        outputs : torch.Tensor of shape (B, K)
        targets : torch.Tensor of shape (B,), int64, or (B, K)
            The class; 0 or 1 for each label; or numbers.
        smooth : bool
            Whether labels are smoothed, as in training.

        Returns
        -------
        losses : torch.Tensor of shape (B,)
            In nats, of labels their sum; half the mean squared error of numbers.
        """
        smoothing = self.label_smoothing if smooth else 0.0
        if self.kind == "classes":
            return functional.cross_entropy(
                outputs, targets, reduction="none", label_smoothing=smoothing
            )
        if self.kind == "labels":
            wanted = torch.lerp(targets, torch.full_like(targets, 0.5), smoothing)
            each = functional.binary_cross_entropy_with_logits(
                outputs, wanted, reduction="none"
            )
            return each.sum(1)
        return (outputs - targets).square().mean(1) / 2.0

    def score(self, outputs: Floats, targets: Floats, weight: Floats) -> float:
        """Return the accuracy or, of numbers, the mean coefficient of determination.

        Parameters
        ----------
        outputs : ndarray of shape (n, K), float64
        targets : ndarray of shape (n,) or (n, K)
        weight : ndarray of shape (n,), float64
            Of each document.

        Returns
        -------
        score : float
            At most 1; a document's labels count as one that is right or wrong. nan if
            there are numbers of fewer than two documents.
        """
        if self.kind == "classes":
            return float(np.average(outputs.argmax(1) == targets, weights=weight))
        if self.kind == "labels":
            right = ((outputs > 0) == (targets > 0.5)).all(axis=1)
            return float(np.average(right, weights=weight))
        if len(targets) < 2:
            return math.nan
        column = weight[:, None]
        mean = np.average(targets, axis=0, weights=weight)
        residual = (column * np.square(outputs - targets)).sum(axis=0)
        total = (column * np.square(targets - mean)).sum(axis=0)
        # A constant column is told perfectly or not at all.
        explained = 1.0 - residual / np.where(total > 0, total, 1.0)
        constant = np.where(residual > 0, 0.0, 1.0)
        return float(np.where(total > 0, explained, constant).mean())

    def probabilities(self, outputs: Floats, *, log: bool = False) -> Floats:
        """Return the probabilities of classes or labels, or their logarithms.

        Parameters
        ----------
        outputs : ndarray of shape (n, K), float64
        log : bool, default=False

        Returns
        -------
        probabilities : ndarray of shape (n, K), float64
        """
        if self.kind == "classes":
            shifted = outputs - outputs.max(axis=1, keepdims=True)
            shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        else:
            shifted = -np.logaddexp(0.0, -outputs)
        return shifted if log else np.exp(shifted)
