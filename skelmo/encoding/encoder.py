"""Sequences to layer activations, pooled or token by token.

The vector of a document depends on that document alone. Memory is bounded by the token
budget and the output: documents are taken in blocks, the sequences of a block in
batches, and a sequence longer than the budget in stretches with its state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from skelmo.encoding.pooling import DocumentPool, HalfPool
from skelmo.encoding.token_cache import TokenCache
from skelmo.nn.bilm import BiLM
from skelmo.nn.modes import modes
from skelmo.nn.packing import PackedBatch, cut_by_budget, pack, sort_by_length
from skelmo.nn.recurrence import Prepared
from skelmo.nn.running import Stretch, run_batch, token_vectors
from skelmo.text.sequences import Sequences, ranges
from skelmo.text.token_indexer import TokenIndexer

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Documents of a block hold this many token budgets: enough sequences of similar length
# to fill batches, few enough that their activations are no burden.
BUDGETS_PER_BLOCK = 8
# Gates of a time step, both directions: of a wide cell and many short sequences they
# would take more than all that the layers give.
GATE_BYTES = 2**25


@dataclass(frozen=True)
class Encoder:
    """Encode documents with a language model.

    Parameters
    ----------
    bilm : BiLM
        On the device that computes; switched to evaluation mode by its owner.
    indexer : TokenIndexer
        From tokens to the ids that the network reads.
    max_batch_tokens : int, default=8192
        Rows, sentence markers included, that go through the network at once. Where
        memory does not suffice for them, half as many, and so on.
    dtype : torch.dtype, optional
        What matrix products are computed in; by default that of the weights.
    prepared : sequence of Prepared, optional
        ``bilm.prepare(dtype)``, to spare its work.
    cache : TokenCache, optional
        Token vectors of earlier calls.
    """

    bilm: BiLM
    indexer: TokenIndexer
    max_batch_tokens: int = 8192
    dtype: torch.dtype | None = None
    prepared: Sequence[Prepared] | None = None
    cache: TokenCache | None = None

    def pool(
        self,
        sequences: Sequences,
        pooling: Sequence[str],
        which: NDArray[np.int64] | None = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Pool the activations of each document.

        Parameters
        ----------
        sequences : Sequences
        pooling : sequence of {"mean", "max", "min", "last", "std"}
        which : ndarray of shape (n,), int64, optional
            Documents to pool; by default all.

        Yields
        ------
        documents : ndarray of shape (k,), int64
            In no particular order; each once.
        pooled : ndarray of shape (k, n_poolings, L + 1, 2P), float32
            Zeros for a document without tokens.
        """
        for block in self._blocks(sequences, which):
            work = partial(
                Encoder._pool_block, sequences=sequences, block=block, pooling=pooling
            )
            yield block, self._within_memory(work)

    def tokens(
        self, sequences: Sequences, which: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the activations of each document's tokens.

        Parameters
        ----------
        sequences : Sequences
        which : ndarray of shape (n,), int64, optional
            Documents to encode; by default all.

        Yields
        ------
        document : int
        activations : ndarray of shape (n_tokens, L + 1, 2P), float32
            Without sentence markers. Documents come in no particular order.
        """
        starts = sequences.document_starts
        is_token = np.ones(len(sequences.token_ids), dtype=bool)
        is_token[sequences.offsets[:-1]] = False
        is_token[sequences.offsets[1:] - 1] = False
        # Row of the block's array for each position; markers go to a last, spare row.
        place = np.full(len(is_token), -1)
        for block in self._blocks(sequences, which):
            spans = [np.arange(starts[d], starts[d + 1]) for d in block]
            spans = [span[is_token[span]] for span in spans]
            positions = np.concatenate(spans)
            place[positions] = np.arange(len(positions))
            work = partial(
                Encoder._fill_block, sequences=sequences, block=block, place=place,
                n_tokens=len(positions),
            )  # fmt: skip
            flat = self._within_memory(work)
            stops = np.cumsum([len(span) for span in spans])
            for document, stop, span in zip(block, stops, spans, strict=True):
                yield int(document), flat[stop - len(span) : stop]

    @modes(grad=False)
    def _fill_block(
        self,
        sequences: Sequences,
        block: NDArray[np.int64],
        place: NDArray[np.int64],
        n_tokens: int,
    ) -> NDArray[np.float32]:
        """Return the activations of a block's tokens, where `place` puts them."""
        config = self.bilm.config
        shape = (n_tokens + 1, config.n_layers, 2, config.proj_size)
        activations = np.zeros(shape, dtype=np.float32)
        for batch, stretch in self._stretches(sequences, block):
            first_row = np.concatenate([[0], np.cumsum(batch.batch_sizes)])
            halves = (
                (stretch.forward, stretch.forward_steps),
                (stretch.backward, stretch.backward_steps),
            )
            for half, (values, steps) in enumerate(halves):
                rows = slice(first_row[min(steps)], first_row[max(steps) + 1])
                target = place[batch.positions[rows]]
                stacked = torch.stack(values, dim=1)  # (n, L + 1, P)
                activations[target, :, half] = stacked.cpu()
            del stretch, halves, values, stacked
        return activations.reshape(*shape[:2], -1)

    def _within_memory(self, work: Callable[[Encoder], T]) -> T:
        """Call `work` with this encoder, or one of smaller batches if need be."""
        encoder = self
        while True:
            try:
                return work(encoder)
            except torch.OutOfMemoryError:
                if encoder.max_batch_tokens < 2:
                    raise
            # Outside of the handler, whose error still holds what was computed.
            torch.cuda.empty_cache()
            encoder = replace(encoder, max_batch_tokens=encoder.max_batch_tokens // 2)
            logger.warning(
                "memory does not suffice: going on with max_batch_tokens=%d",
                encoder.max_batch_tokens,
            )

    @modes(grad=False)
    def _pool_block(
        self, sequences: Sequences, block: NDArray[np.int64], pooling: Sequence[str]
    ) -> NDArray[np.float32]:
        config = self.bilm.config
        total = DocumentPool(pooling, len(block), config.n_layers, config.proj_size)
        place = np.zeros(sequences.n_documents, dtype=np.int64)
        place[block] = np.arange(len(block))
        owner = sequences.document_of_sequence
        first, stop = sequences.document_offsets[:-1], sequences.document_offsets[1:]
        halves: list[HalfPool] = []
        for batch, stretch in self._stretches(sequences, block):
            if not halves:
                shape = (config.n_layers, len(batch.sequences), config.proj_size)
                halves = [
                    HalfPool(pooling, shape, stretch.forward[0]) for _ in range(2)
                ]
            _pool_half(halves[0], stretch.forward, stretch.forward_steps, batch)
            _pool_half(halves[1], stretch.backward, stretch.backward_steps, batch)
            if stretch.backward_steps[-1] == 0:
                document = owner[batch.sequences]
                edges = (
                    batch.sequences == stop[document] - 1,
                    batch.sequences == first[document],
                )
                total.add(
                    halves,
                    torch.from_numpy(place[document]),
                    [torch.from_numpy(edge) for edge in edges],
                )
                halves = []
            del stretch
        n_sequences = np.diff(sequences.document_offsets)[block]
        n_tokens = np.diff(sequences.document_starts)[block] - 2 * n_sequences
        return total.finish(torch.from_numpy(n_tokens)).numpy()

    def _blocks(
        self, sequences: Sequences, which: NDArray[np.int64] | None = None
    ) -> Iterator[NDArray[np.int64]]:
        """Cut documents into blocks, longest first, ties by their tokens."""
        if which is None:
            which = np.arange(sequences.n_documents)
        starts = sequences.document_starts
        order = sort_by_length(which, sequences.token_ids, starts)
        lengths = np.maximum(np.diff(starts)[order], 1)
        for cut in cut_by_budget(lengths, BUDGETS_PER_BLOCK * self.max_batch_tokens):
            yield order[cut]

    def _stretches(
        self, sequences: Sequences, block: NDArray[np.int64]
    ) -> Iterator[tuple[PackedBatch, Stretch]]:
        """Yield the activations of all sequences of some documents."""
        offsets = sequences.document_offsets
        members = ranges(offsets[block], np.diff(offsets)[block])
        order = sort_by_length(members, sequences.token_ids, sequences.offsets)
        lengths = sequences.lengths[order]
        if not len(order):
            return
        every = ranges(sequences.offsets[order], lengths)
        used = np.unique(sequences.token_ids[every])
        vectors = self.token_vectors([sequences.tokens[u] for u in used])
        prepared = self.prepared or self.bilm.prepare(self.dtype)
        row_bytes = 2 * 4 * 4 * self.bilm.config.hidden_size
        most = max(1, GATE_BYTES // row_bytes)
        for cut in cut_by_budget(lengths, self.max_batch_tokens, most):
            members = order[cut]
            batch = pack(members, sequences.offsets[members], lengths[cut])
            ids = np.searchsorted(used, sequences.token_ids[batch.positions])
            packed = torch.from_numpy(ids).to(vectors.device)
            for stretch in run_batch(
                self.bilm, batch, vectors, packed, self.max_batch_tokens, prepared
            ):
                yield batch, stretch
                del stretch  # before the next is computed

    @modes(grad=False)
    def token_vectors(self, tokens: Sequence[str]) -> Tensor:
        """Encode unique tokens, as far as the cache does not know them.

        Parameters
        ----------
        tokens : sequence of str of length U

        Returns
        -------
        vectors : torch.Tensor of shape (U, P)
        """
        if self.cache is None:
            return self._compute(tokens)
        return self.cache.look_up(tokens, self._compute)

    def _compute(self, tokens: Sequence[str]) -> Tensor:
        char_ids, words = self.indexer(tokens)
        word_ids = words if self.bilm.config.word_embedding_dim else None
        return token_vectors(self.bilm, char_ids, word_ids, dtype=self.dtype)


def _pool_half(
    half: HalfPool, layers: Sequence[Tensor], steps: range, batch: PackedBatch
) -> None:
    """Feed the real tokens of a stretch to the statistics, in walking order."""
    sizes = batch.batch_sizes
    starts = np.concatenate([[0], np.cumsum(sizes)]) - sum(sizes[: min(steps)])
    for t in steps:
        # Step 0 is the begin marker; a row's last step is its end marker.
        if 0 < t < len(sizes) - 1:
            rows = slice(starts[t], starts[t] + sizes[t + 1])
            half.add(torch.stack([layer[rows] for layer in layers]))
