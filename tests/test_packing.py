import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from skelmo.nn.packing import cut_by_budget, pack, sort_by_length
from skelmo.text.sequences import index_documents

LENGTHS = [[1], [3], [4, 4, 4], [7, 5, 5, 2, 1, 1], [9, 1]]


def random_sequences(seed, n=30):
    rng = np.random.default_rng(seed)
    words = list("abcdef")
    documents = [
        [rng.choice(words, size=rng.integers(1, 6)).tolist()] for _ in range(n)
    ]
    return index_documents(documents), documents


def packed(lengths):
    """Pack sequences that lie apart and backwards in the token array."""
    lengths = np.array(lengths)
    starts = 100 * np.arange(len(lengths))[::-1]
    return pack(np.arange(len(lengths)) + 10, starts, lengths), starts


@pytest.mark.parametrize("lengths", LENGTHS)
def test_pack_equals_torch(lengths):
    batch, starts = packed(lengths)
    tokens = [
        torch.arange(start, start + n) for start, n in zip(starts, lengths, strict=True)
    ]
    expected = pack_padded_sequence(pad_sequence(tokens), torch.tensor(lengths))
    np.testing.assert_array_equal(batch.positions, expected.data)
    assert batch.batch_sizes == expected.batch_sizes.tolist()
    np.testing.assert_array_equal(batch.sequences, np.arange(len(lengths)) + 10)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_following_pairs_each_row_with_the_next_of_its_sequence(lengths):
    batch, _ = packed(lengths)
    row_of = {position: row for row, position in enumerate(batch.positions.tolist())}
    expected = {(row, row_of[p + 1]) for p, row in row_of.items() if p + 1 in row_of}
    pairs = batch.following
    assert pairs.shape == (2, sum(lengths) - len(lengths))
    assert set(map(tuple, pairs.T.tolist())) == expected


@pytest.mark.parametrize("budget", [1, 5, 12, 100, 10_000])
def test_batches_hold_every_token_once(budget):
    sequences, _ = random_sequences(0)
    order = sort_by_length(np.arange(30), sequences.token_ids, sequences.offsets)
    seen = []
    for cut in cut_by_budget(sequences.lengths[order], budget):
        members = order[cut]
        batch = pack(members, sequences.offsets[members], sequences.lengths[members])
        seen += batch.positions.tolist()
    assert sorted(seen) == list(range(len(sequences.token_ids)))


def test_sorting_puts_the_longest_first_and_equal_lengths_by_tokens():
    sequences, _ = random_sequences(1)
    order = sort_by_length(np.arange(30), sequences.token_ids, sequences.offsets)
    assert sorted(order) == list(range(30))
    for a, b in itertools.pairwise(order):
        spans = [slice(*sequences.offsets[[s, s + 1]]) for s in (a, b)]
        first, second = (sequences.token_ids[span] for span in spans)
        assert len(first) > len(second) or (
            len(first) == len(second) and first.tobytes() <= second.tobytes()
        )


@pytest.mark.parametrize("seed", range(5))
def test_sorting_equals_that_by_length_and_bytes_and_keeps_ties_in_place(seed):
    rng = np.random.default_rng(seed)
    # Ids that differ in any of their bytes, zero bytes among and after others.
    ids = np.array([0, 1, 255, 256, 257, 65_536, 2**24, 2**31 - 1], dtype=np.int32)
    lengths = rng.choice([0, 1, 2, 3, 15, 16, 17, 32, 33, 50], size=300)
    token_ids = rng.choice(ids, size=lengths.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    for s in np.flatnonzero(lengths > 3):  # alike but for one token, or wholly
        token_ids[offsets[s] : offsets[s + 1]] = 256
        token_ids[rng.integers(offsets[s], offsets[s + 1])] = rng.choice(ids)
    some = rng.permutation(300)[:250]

    def key(s):
        content = token_ids[offsets[s] : offsets[s + 1]]
        return -len(content), content.tobytes()

    got = sort_by_length(some, token_ids, offsets)
    assert got.tolist() == sorted(some.tolist(), key=key)
    assert got.dtype == np.int64


def test_sorting_takes_a_part_of_the_sequences():
    sequences, _ = random_sequences(1)
    some = np.array([5, 3, 17, 8])
    order = sort_by_length(some, sequences.token_ids, sequences.offsets)
    assert sorted(order) == sorted(some)
    assert (np.diff(sequences.lengths[order]) <= 0).all()


def test_batches_do_not_depend_on_the_order_of_the_documents():
    def batches(documents):
        sequences = index_documents(documents)
        order = sort_by_length(
            np.arange(len(documents)), sequences.token_ids, sequences.offsets
        )
        for cut in cut_by_budget(sequences.lengths[order], 12):
            m = order[cut]
            batch = pack(m, sequences.offsets[m], sequences.lengths[m])
            yield batch.batch_sizes, sequences.token_ids[batch.positions].tolist()

    _, documents = random_sequences(2)
    shuffled = np.random.default_rng(0).permutation(len(documents))
    assert list(batches(documents)) == list(batches([documents[d] for d in shuffled]))


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 10, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_cuts_are_consecutive_full_and_within_the_budget(seed, budget):
    lengths = np.random.default_rng(seed).integers(1, 10, size=25)
    cuts = list(cut_by_budget(lengths, budget))
    covered = [k for cut in cuts for k in range(cut.start, cut.stop)]
    assert covered == list(range(25))
    for cut in cuts:
        total = lengths[cut].sum()
        assert total <= budget or cut.stop - cut.start == 1
        # The next sequence would not have fitted.
        assert cut.stop == 25 or total + lengths[cut.stop] > budget


def test_nothing_gives_no_batch():
    assert list(cut_by_budget(np.zeros(0, dtype=np.int64), 5)) == []


def test_a_batch_holds_no_more_sequences_than_it_may():
    lengths = np.array([5, 4, 3, 2, 2, 2, 2, 1, 1])
    cuts = list(cut_by_budget(lengths, 9, max_sequences=3))
    assert [lengths[cut].tolist() for cut in cuts] == [
        [5, 4],
        [3, 2, 2],
        [2, 2, 1],
        [1],
    ]
    assert list(cut_by_budget(lengths, 9)) == [slice(0, 2), slice(2, 6), slice(6, 9)]
