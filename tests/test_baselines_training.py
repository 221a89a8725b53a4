"""What vectors word2vec and GloVe learn."""

import os
import subprocess
import sys
import textwrap
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.baselines.cooccurrence import count_cooccurrences
from skelmo.baselines.factorization import Factors, factorize, weighted_pairs

BOTH = [GloveVectorizer, Word2VecVectorizer]
RNG = np.random.default_rng


def some_sentences(n, n_words=12, seed=0):
    rng = RNG(seed)
    return [rng.integers(n_words, size=rng.integers(0, 15)).tolist() for _ in range(n)]


def as_rows(sentences):
    rows = np.array([w for s in sentences for w in s], dtype=np.int32)
    return rows, np.cumsum([0, *map(len, sentences)])


def naive_counts(sentences, n_words, window):
    """Count as the paper says, in both directions, one pair after the other."""
    counts = np.zeros((n_words, n_words))
    for sentence in sentences:
        for k, word in enumerate(sentence):
            for distance in range(1, window + 1):
                if k + distance < len(sentence):
                    counts[word, sentence[k + distance]] += 1 / distance
                    counts[sentence[k + distance], word] += 1 / distance
    return counts


def dense(triangle):
    return (triangle + triangle.T).toarray()


@pytest.mark.parametrize("window", [1, 3, 10, 20])
@pytest.mark.parametrize("at_once", [4, 50, 2**23])
def test_cooccurrences_are_those_of_a_loop(monkeypatch, window, at_once):
    monkeypatch.setattr("skelmo.baselines.cooccurrence.PAIRS_AT_ONCE", at_once)
    parts = [some_sentences(20, seed=seed) for seed in range(3)]
    triangle = count_cooccurrences(map(as_rows, parts), 12, window)
    assert triangle.has_canonical_format
    assert (triangle.toarray() == np.triu(triangle.toarray())).all()
    expected = naive_counts([s for part in parts for s in part], 12, window)
    assert_allclose(dense(triangle), expected, rtol=1e-6)


def test_no_words_have_no_cooccurrences():
    assert count_cooccurrences([], 3, 5).nnz == 0
    assert count_cooccurrences([as_rows([[], [0], [1]])], 3, 5).nnz == 0


def paper_loss(left, right, counts, x_max, alpha):
    """Write the objective as the paper does, for torch to differentiate."""
    counts = torch.as_tensor(counts)
    i, j = torch.nonzero(counts, as_tuple=True)
    x = counts[i, j]
    weight = torch.clamp(x / x_max, max=1.0) ** alpha
    errors = (left[i, :-2] * right[j, :-2]).sum(1) + left[i, -2] + right[j, -1]
    return 0.5 * (weight * (errors - torch.log(x)) ** 2).sum()


@pytest.fixture(scope="module")
def triangle():
    return count_cooccurrences([as_rows(some_sentences(60))], 12, 4)


def test_a_step_is_adagrad_on_the_papers_objective(triangle):
    pairs = weighted_pairs(triangle, 9.0, 0.75)
    factors = Factors(12, 5, 0.3, RNG(0))
    sides = [
        torch.tensor(side, dtype=torch.float64, requires_grad=True)
        for side in (factors.left, factors.right)
    ]
    squares = [1.0, 1.0]
    for _ in range(3):
        loss = paper_loss(*sides, dense(triangle), 9.0, 0.75)
        gradients = torch.autograd.grad(loss, sides)
        assert factors.step(pairs) == pytest.approx(loss.item(), rel=1e-5)
        for k, (side, gradient) in enumerate(zip(sides, gradients, strict=True)):
            squares[k] = squares[k] + (0.3 * gradient) ** 2
            side.data -= 0.3 * gradient / squares[k] ** 0.5
    assert_allclose(factors.left, sides[0].detach(), rtol=1e-3, atol=1e-5)
    assert_allclose(factors.right, sides[1].detach(), rtol=1e-3, atol=1e-5)
    vectors = (sides[0] + sides[1]).detach()[:, :-2]
    assert_allclose(factors.vectors, vectors, rtol=1e-3, atol=1e-5)
    assert (factors.left[:, -1] == 1).all()
    assert (factors.right[:, -2] == 1).all()


def test_with_full_rank_products_are_the_logarithms(triangle):
    factors = Factors(12, 12, 0.5, RNG(0))
    pairs = weighted_pairs(triangle, 10.0, 0.75)
    factorize(factors, pairs, max_epochs=100, tol=0, rng=RNG(1))
    counts = dense(triangle)
    there = counts > 0
    errors = factors.products()[there] - np.log(counts[there])
    assert np.abs(errors).max() < 1e-4
    assert np.abs(np.log(counts[there])).max() > 1


def least_squares(counts, rank, x_max, alpha, n_rounds=100):
    """Solve for the rows of each side exactly, in turns; return both sides."""
    weight = np.where(counts > 0, np.minimum(counts / x_max, 1) ** alpha, 0)
    logs = np.log(np.where(counts > 0, counts, 1))
    left, right = RNG(0).standard_normal((2, len(counts), rank + 2)) / rank
    left[:, -1] = right[:, -2] = 1
    for _ in range(n_rounds):
        for one, other, const, w, target in (
            (left, right, -1, weight, logs),
            (right, left, -2, weight.T, logs.T),
        ):
            free = np.delete(np.arange(rank + 2), const)
            for k, scale in enumerate(np.sqrt(w)):
                matrix = scale[:, None] * other[:, free]
                rest = scale * (target[k] - other[:, const])
                one[k, free] = np.linalg.lstsq(matrix, rest, rcond=None)[0]
    return torch.tensor(left), torch.tensor(right)


def test_with_low_rank_the_loss_nears_that_of_least_squares(triangle):
    factors = Factors(12, 2, 0.2, RNG(0))
    pairs = weighted_pairs(triangle, 10.0, 0.75)
    counts = dense(triangle).astype(float)

    def loss(left, right):
        return paper_loss(left, right, counts, 10.0, 0.75).item()

    at_first = loss(*map(torch.tensor, (factors.left, factors.right)))
    best = loss(*least_squares(counts, 2, 10.0, 0.75))
    factorize(factors, pairs, max_epochs=60, tol=0, rng=RNG(1))
    shuffled = loss(*map(torch.tensor, (factors.left, factors.right)))
    for _ in range(300):
        factors.step(pairs)
    at_last = loss(*map(torch.tensor, (factors.left, factors.right)))
    assert best < 0.1 * at_first
    assert shuffled < 1.1 * best
    assert 0.99 * best < at_last < 1.01 * best


TOPICS = [[f"{name}{k}" for k in range(6)] for name in ("sea", "law", "art")]


@pytest.fixture(scope="module")
def topical():
    """Return documents of words of one topic each, but for one, and of words of all."""
    rng = RNG(0)
    common = ["of", "and", "to"]
    everything = sum(TOPICS, [])
    return [
        " ".join(
            rng.permutation(
                [*rng.choice(TOPICS[k % 3], 5), rng.choice(everything), *common]
            )
        )
        for k in range(900)
    ]


CASES = {
    "glove": (GloveVectorizer, {"x_max": 10, "max_epochs": 20}),
    "skip-gram": (Word2VecVectorizer, {"max_epochs": 3}),
    "cbow": (Word2VecVectorizer, {"algorithm": "cbow", "max_epochs": 5}),
}


@pytest.fixture(params=CASES)
def learner(request):
    """Return a function from parameters to a transformer to be trained."""
    cls, own = CASES[request.param]
    if cls is Word2VecVectorizer:
        pytest.importorskip("gensim", reason="gensim trains word2vec")
        own = {"learning_rate_init": 0.05, "sample": 0, **own}
    return lambda **given: cls(
        **{"vector_size": 10, "window": 5, "random_state": 0, **own, **given}
    )


def test_words_of_a_topic_are_near_each_other(learner, topical):
    vectorizer = learner().fit(topical)
    for topic in TOPICS:
        for word in topic:
            near = [other for other, _ in vectorizer.most_similar(word, 5)]
            assert set(near) == set(topic) - {word}
    features = vectorizer.transform([" ".join(topic[:3]) for topic in TOPICS] * 2)
    others = vectorizer.transform([" ".join(topic[3:]) for topic in TOPICS] * 2)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ (others / np.linalg.norm(others, axis=1, keepdims=True)).T
    assert_array_equal(cosines[:3, :3].argmax(1), range(3))


def test_analogies_hold(learner):
    """Of words that stand for a pair of properties, shown by the words beside them."""
    rng = RNG(1)
    lines = []
    for _ in range(4000):
        row, column, other = rng.integers(4, size=3)
        beside = [f"row{row}{rng.integers(2)}", f"column{column}{rng.integers(2)}"]
        if rng.random() < 0.3:
            beside[rng.integers(2)] = f"{rng.choice(['row', 'column'])}{other}0"
        lines.append(" ".join(rng.permutation([f"cell{row}{column}", *beside])))
    vectorizer = learner(window=2).fit(lines)
    names = [f"cell{r}{c}" for r in range(4) for c in range(4)]
    rows = [vectorizer.vocabulary_.index(name) for name in names]
    cells = vectorizer.vectors_[rows] - vectorizer.vectors_[rows].mean(0)
    cells = (cells / np.linalg.norm(cells, axis=1, keepdims=True)).reshape(4, 4, -1)
    right = total = 0
    for a, b, c, d in np.ndindex(4, 4, 4, 4):
        if a != b and c != d:
            guess = cells[a, c] - cells[a, d] + cells[b, d]
            scores = cells @ guess
            scores[[a, a, b], [c, d, d]] = -np.inf
            right += scores.argmax() == 4 * b + c
            total += 1
    assert right > 0.9 * total  # by chance 1 of 13


def test_the_same_seed_gives_the_same_vectors(learner, topical):
    first, again = (learner().fit(topical).vectors_ for _ in range(2))
    assert_array_equal(first, again)
    other = learner(random_state=1).fit(topical).vectors_
    assert np.abs(other - first).max() > 0.01


@pytest.mark.slow
def test_vectors_do_not_depend_on_how_python_hashes(topical):
    pytest.importorskip("gensim", reason="gensim trains word2vec")
    learned = [cls(**own, random_state=0) for cls, own in CASES.values()]
    code = f"""
        import sys
        from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
        texts = sys.stdin.read().splitlines()
        for vectorizer in {learned}:
            print(vectorizer.fit(texts).vectors_.tobytes().hex())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        input="\n".join(topical),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stderr == ""
    expected = [v.fit(topical).vectors_.tobytes().hex() for v in learned]
    assert done.stdout.split() == expected


def test_the_vocabulary_is_the_most_frequent_words(learner):
    texts = ["Ab ab ab b b b b c c d E"] * 100
    vectorizer = learner(min_count=200, vector_size=4).fit(texts)
    counts = Counter(" ".join(texts).lower().split())
    assert vectorizer.vocabulary_ == ["b", "ab", "c"]
    assert vectorizer.word_counts_.tolist() == [counts[w] for w in ("b", "ab", "c")]
    assert vectorizer.oov_rate_ == pytest.approx(2 / 11)
    assert vectorizer.vectors_.shape == (3, 4)
    assert learner(max_vocabulary=2).fit(texts).vocabulary_ == ["b", "ab"]
    cased = learner(lowercase=False).fit(texts).vocabulary_
    assert cased == ["b", "ab", "c", "Ab", "E", "d"]


def test_rare_words_and_ends_of_sentences_make_no_pairs(monkeypatch):
    seen = []

    def count(sentences, n_words, window):
        seen.extend((rows.tolist(), starts.tolist()) for rows, starts in sentences)
        return count_cooccurrences([], n_words, window)

    monkeypatch.setattr("skelmo.baselines.glove.count_cooccurrences", count)
    texts = ["a rare b a\nb a"] * 300 + ["x"]
    glove = GloveVectorizer(sentence_splitter="lines", min_count=300)
    glove.set_params(tokenizer=lambda s: s.replace("rare", f"{id(s)}").split())
    with pytest.warns(
        UserWarning,
        match="^GloveVectorizer found no sentence with 2 words that occur "
        "min_count=300 times, so its vectors stay random. Lower min_count, or pass "
        "more text.$",
    ):
        glove.fit(texts)
    ((rows, starts),) = seen
    assert glove.vocabulary_ == ["a", "b"]
    assert rows == [0, 1, 0, 1, 0] * 300
    assert np.diff(starts).tolist() == [3, 2] * 300 + [0]
    assert glove.loss_curve_ == []


def test_the_loss_falls_until_it_hardly_does(topical):
    glove = GloveVectorizer(vector_size=5, max_epochs=12, tol=0, random_state=0)
    losses = glove.fit(topical).loss_curve_
    assert len(losses) == 12
    assert (np.diff(losses) < 0).all()
    stopped = glove.set_params(tol=0.1).fit(topical).loss_curve_
    assert stopped == losses[:7]
    assert losses[3] < 0.9 * losses[2]
    assert min(losses[4:7]) > 0.9 * losses[3]  # three epochs in vain


@pytest.mark.parametrize("algorithm", ["skip-gram", "cbow"])
def test_word2vec_is_that_of_gensim(topical, algorithm):
    models = pytest.importorskip("gensim.models", reason="gensim trains word2vec")
    # gensim does not say how it sorts words of the same frequency: there are none.
    counts = Counter(" ".join(topical).split())
    rare_first = sorted(counts, key=counts.__getitem__)
    texts = [*topical, *(f"{word} " * k for k, word in enumerate(rare_first))]
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    model = models.Word2Vec(
        [text.split() for text in texts],
        vector_size=7,
        window=3,
        min_count=2,
        sg=int(algorithm == "skip-gram"),
        negative=4,
        sample=1e-2,
        alpha=0.03,
        epochs=2,
        workers=1,
        seed=seed,
    )
    ours = Word2VecVectorizer(
        vector_size=7,
        window=3,
        min_count=2,
        algorithm=algorithm,
        negative=4,
        sample=1e-2,
        learning_rate_init=0.03,
        max_epochs=2,
        random_state=3,
    ).fit(texts)
    assert ours.vocabulary_ == model.wv.index_to_key
    assert_array_equal(ours.vectors_, model.wv.vectors)


def test_the_former_name_of_epochs_is_told(texts):
    expected = Word2VecVectorizer(vector_size=4, max_epochs=2, random_state=0)
    expected.fit(texts)
    message = (
        "The 'epochs' parameter of Word2VecVectorizer is called max_epochs now, as in "
        "all estimators here, and will go. Set max_epochs=2."
    )
    former = Word2VecVectorizer(vector_size=4, epochs=2, random_state=0)
    with pytest.warns(FutureWarning, match=f"^{message}$") as record:
        former.fit(texts)
    assert [warning.filename for warning in record] == [__file__]
    assert_array_equal(former.vectors_, expected.vectors_)
    state = dict(expected.__getstate__())
    state["epochs"] = state.pop("max_epochs")
    old = Word2VecVectorizer.__new__(Word2VecVectorizer)
    old.__setstate__(state)
    assert old.get_params() == expected.get_params()


def test_word2vec_reads_long_sentences_to_their_end(monkeypatch):
    pytest.importorskip("gensim", reason="gensim trains word2vec")
    monkeypatch.setattr("skelmo.baselines.word2vec._LONGEST_SENTENCE", 7)
    read = []
    from gensim.models import Word2Vec

    train = Word2Vec.train

    def spy(self, sentences, **given):
        read.extend(sentences)
        return train(self, sentences, **given)

    monkeypatch.setattr(Word2Vec, "train", spy)
    text = "a b c d e f g h i j k " * 100
    Word2VecVectorizer(vector_size=2).fit([text, "a b"])
    assert max(map(len, read)) == 7
    assert [word for sentence in read for word in sentence] == [*text.split(), "a", "b"]
