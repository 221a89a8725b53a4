"""Documents to what a head gives of them, without an estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from skelmo.encoding.caches import token_cache_of
from skelmo.encoding.settings import EncoderSettings
from skelmo.encoding.token_reader import TokenReader
from skelmo.models.trained import TrainedModel
from skelmo.models.trained_head import TrainedHead
from skelmo.nn.heads import Head
from skelmo.nn.modes import modes
from skelmo.text.analysis import Analyzer
from skelmo.text.distinct import Distinct, index_distinct

TOKENS_AT_ONCE = 2**20  # of an iterator
DOCUMENTS_AT_ONCE = 64  # that go through a head
Work = Callable[[Head, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class DocumentOutputs:
    """Turn documents into the outputs of a head, each distinct document once.

    Parameters
    ----------
    model : TrainedModel
    analyzer : Analyzer
        From a document to sequences of tokens.
    head : TrainedHead
        On the device of the model.
    settings : EncoderSettings, default=EncoderSettings()
    cache : {"memory"}, path-like or None, default=None
        Where activations of tokens are kept.
    verbose : int, default=0
        1 shows a progress bar.
    """

    model: TrainedModel
    analyzer: Analyzer
    head: TrainedHead
    settings: EncoderSettings = EncoderSettings()
    cache: str | os.PathLike[str] | None = None
    verbose: int = 0

    def __call__(self, documents: Iterable[object]) -> NDArray[np.float64]:
        """Return the outputs of documents.

        Parameters
        ----------
        documents : iterable of str or of list
            Checked. Of an iterator, only a part is in memory at a time.

        Returns
        -------
        outputs : ndarray of shape (N, K), float64
        """
        rows = self._rows(documents, _outputs, self.head.config.n_outputs)
        return rows.astype(np.float64)

    def pooled(self, documents: Iterable[object]) -> NDArray[np.float32]:
        """Return what the head pools the tokens of documents to.

        Parameters
        ----------
        documents : iterable of str or of list
            As for the outputs.

        Returns
        -------
        pooled : ndarray of shape (N, F), float32
        """
        return self._rows(documents, _pooled, self.head.config.n_pooled)

    @property
    def reader(self) -> TokenReader:
        """What encodes the tokens of documents."""
        return token_reader(self.model, self.settings, self.cache)

    def _rows(
        self, documents: Iterable[object], work: Work, n_columns: int
    ) -> NDArray[np.float32]:
        found = np.empty((0, n_columns), dtype=np.float32)
        reader, waiting = self.reader, iter(documents)
        # What can be read but once may have its end far away.
        at_most = TOKENS_AT_ONCE if isinstance(documents, Iterator) else None
        with tqdm(desc="read", unit="document", disable=not self.verbose) as bar:
            while True:
                part = index_distinct(waiting, self.analyzer, at_most)
                if len(part.place):
                    each = self._distinct_rows(reader, part, work, n_columns, bar)
                    found = np.concatenate([found, each[part.place]])
                if at_most is None or not len(part.place):
                    return found

    def _distinct_rows(
        self,
        reader: TokenReader,
        distinct: Distinct,
        work: Work,
        n_columns: int,
        bar: tqdm,
    ) -> NDArray[np.float32]:
        """Return a row for each distinct document."""
        rows = np.empty((len(distinct.keys), n_columns), dtype=np.float32)
        waiting: list[tuple[int, NDArray[np.float32]]] = []
        for pair in reader(distinct):
            waiting.append(pair)
            if len(waiting) == DOCUMENTS_AT_ONCE:
                self._fill(rows, waiting, work)
                bar.update(len(waiting))
                waiting = []
        if waiting:
            self._fill(rows, waiting, work)
            bar.update(len(waiting))
        return rows

    @modes(grad=False)
    def _fill(
        self,
        rows: NDArray[np.float32],
        given: list[tuple[int, NDArray[np.float32]]],
        work: Work,
    ) -> None:
        documents, values = zip(*given, strict=True)
        device = self.model.device
        lengths = torch.tensor([len(value) for value in values], device=device)
        activations = torch.from_numpy(np.concatenate(values)).to(device)
        rows[list(documents)] = work(self.head.network, activations, lengths).cpu()


def token_reader(
    model: TrainedModel,
    settings: EncoderSettings,
    cache: str | os.PathLike[str] | None,
) -> TokenReader:
    """Return what encodes the tokens of documents.

    Parameters
    ----------
    model : TrainedModel
    settings : EncoderSettings
    cache : {"memory"}, path-like or None
        Where activations are kept.

    Returns
    -------
    reader : TokenReader
    """
    encoder, kept = settings.encoder(model), token_cache_of(cache)
    if kept is None:
        return TokenReader(encoder)
    return TokenReader(encoder, kept, settings.fingerprint(model))


def _outputs(head: Head, activations: Tensor, lengths: Tensor) -> Tensor:
    found: Tensor = head(activations, lengths)
    return found


def _pooled(head: Head, activations: Tensor, lengths: Tensor) -> Tensor:
    return head.pool(activations, lengths)
