import pickle
import threading

import numpy as np
import pytest

from skelmo.encoding.activation_cache import MemoryCache

SHAPE = 4, 3, 8
ENTRY = 4 * 3 * 8 * 4 + 300  # bytes, keys and the like included


def key(k):
    return k.to_bytes(16, "little")


def value(k):
    return np.random.default_rng(k).normal(size=SHAPE).astype(np.float32)


def read_through(cache, numbers):
    """Ask for each entry, put in what is missing; return how many were there."""
    n_hits = 0
    for k in numbers:
        (found,) = cache.get([key(k)])
        if found is None:
            cache.put([key(k)], [value(k)])
        else:
            np.testing.assert_array_equal(found, value(k))
            n_hits += 1
    return n_hits


def test_what_was_put_is_there():
    cache = MemoryCache()
    assert cache.get([key(0), key(1)]) == [None, None]
    cache.put([key(0), key(2)], np.stack([value(0), value(2)]))
    first, nothing, second = cache.get([key(0), key(1), key(2)])
    np.testing.assert_array_equal(first, value(0))
    assert nothing is None
    np.testing.assert_array_equal(second, value(2))
    assert cache.info() == (2, 2, 2, 2 * ENTRY)
    cache.clear()
    assert cache.get([key(0)]) == [None]
    assert cache.info() == (0, 0, 0, 0)


def test_what_is_kept_cannot_be_changed():
    cache, given = MemoryCache(), value(0)
    cache.put([key(0)], [given])
    given[:] = 0.0
    (found,) = cache.get([key(0)])
    with pytest.raises(ValueError, match="^assignment destination is read-only$"):
        found[:] = 0.0
    np.testing.assert_array_equal(found, value(0))


def test_what_can_be_changed_no_more_is_kept_without_a_copy():
    cache, given = MemoryCache(), value(0)
    given.flags.writeable = False
    cache.put([key(0)], [given])
    assert cache.get([key(0)])[0] is given
    whole = value(1)
    part = whole[:2]
    part.flags.writeable = False
    cache.put([key(1)], [part])
    whole[:] = 0.0
    np.testing.assert_array_equal(cache.get([key(1)])[0], value(1)[:2])


def test_what_is_there_already_is_kept():
    cache = MemoryCache()
    cache.put([key(0)], [value(0)])
    cache.put([key(0)], [value(1)])
    np.testing.assert_array_equal(cache.get([key(0)])[0], value(0))
    assert cache.info() == (1, 2, 1, ENTRY)


def test_bytes_are_bounded():
    cache = MemoryCache(10 * ENTRY)
    for k in range(100):
        cache.put([key(k)], [value(k)])
        assert cache.info().bytes == min(k + 1, 10) * ENTRY
    kept = [k for k in range(100) if cache.get([key(k)])[0] is not None]
    assert len(kept) == cache.info().entries == 10
    nothing = MemoryCache(ENTRY - 1)
    nothing.put([key(0)], [value(0)])
    assert nothing.info() == (0, 1, 0, 0)


@pytest.mark.parametrize(("excess", "least"), [(1.0, 1.0), (1.2, 0.83), (1.5, 0.66)])
def test_data_larger_than_the_bound_profit(excess, least):
    # The least recently used entry would always be the one that is needed next.
    cache = MemoryCache(200 * ENTRY)
    n = int(200 * excess)
    for _ in range(5):
        read_through(cache, range(n))
    assert read_through(cache, range(n)) >= least * n


def test_data_in_another_order_each_time_profit():
    cache, order = MemoryCache(200 * ENTRY), np.random.default_rng(0)
    hits = [read_through(cache, order.permutation(300).tolist()) for _ in range(8)]
    # No more than 200 can be there.
    assert min(hits[1:]) >= 150


def test_what_is_read_once_does_not_drive_out_what_is_used():
    cache = MemoryCache(100 * ENTRY)
    for _ in range(3):
        read_through(cache, range(50))
    read_through(cache, range(1000, 1150))
    assert read_through(cache, range(50)) == 50
    # What lies idle goes in the end.
    read_through(cache, range(2000, 2400))
    assert read_through(cache, range(50)) <= 5


def test_parts_not_asked_for_make_room_first():
    part = 3 * 8 * 4
    cache = MemoryCache(10 * ENTRY)
    for k in range(10):
        assert cache.get([key(k)], [1, 2]) == [None]
        cache.put([key(k)], [value(k)])
    # While there is room, what may be asked for later is there.
    for k in range(10):
        (found,) = cache.get([key(k)], [3, 1])
        np.testing.assert_array_equal(found, value(k)[[3, 1]])
    assert cache.get([key(10)], [1]) == [None]
    cache.put([key(10)], [value(10)])
    assert cache.info().entries == 11
    assert cache.info().bytes == 11 * (ENTRY - part)
    for k in range(11):
        (found,) = cache.get([key(k)], [2, 3, 1])
        np.testing.assert_array_equal(found, value(k)[[2, 3, 1]])
    # A part that is gone is a miss, and comes back with the next value.
    assert cache.get([key(0)], [0, 1]) == [None]
    cache.put([key(0)], [value(0)])
    (found,) = cache.get([key(0)], [0, 1])
    np.testing.assert_array_equal(found, value(0)[[0, 1]])
    assert cache.info().entries <= 11
    assert cache.info().bytes <= 10 * ENTRY


def test_old_data_make_way_for_new():
    cache = MemoryCache(100 * ENTRY)
    for _ in range(5):
        read_through(cache, range(100))
    for _ in range(5):
        read_through(cache, range(1000, 1080))
    assert read_through(cache, range(1000, 1080)) >= 60


def test_threads_may_share_a_cache():
    cache, errors = MemoryCache(50 * ENTRY), []

    def work(seed):
        try:
            numbers = np.random.default_rng(seed).integers(0, 80, size=300).tolist()
            read_through(cache, numbers)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    info = cache.info()
    assert info.hits + info.misses == 4 * 300
    assert info.entries == 50
    assert info.bytes == 50 * ENTRY


def test_information_can_be_pickled():
    info = MemoryCache().info()
    assert pickle.loads(pickle.dumps(info)) == info
