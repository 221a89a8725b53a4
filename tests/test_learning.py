"""That training teaches something: the only tests of what comes out in the end."""

import math
import random
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tiny_runs import documents_of

from skelmo import ElmoLanguageModel
from skelmo.datasets import load_docstrings
from skelmo.text.characters import encode_tokens
from skelmo.text.tokenization import split_sentences, tokenize

SMALL = {
    "hidden_size": 32,
    "proj_size": 16,
    "char_embedding_dim": 8,
    "filters": ((1, 8), (2, 16), (3, 16)),
    "random_state": 0,
}


def unigram_perplexity(train, held_out, vocabulary):
    """Return the add-one unigram's perplexity of the words and of the sentence ends."""
    known = set(vocabulary)

    def words(texts):
        for text in texts:
            for sentence in split_sentences(text):
                for token in [*tokenize(sentence), "</S>"]:
                    yield token if token in known else "<UNK>"

    counts = Counter(words(train))
    # A model is never to predict the begin of a sentence: it is no word here.
    total = sum(counts.values()) + len(vocabulary) - 1
    losses = [-math.log((counts[word] + 1) / total) for word in words(held_out)]
    return math.exp(np.mean(losses))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:ElmoLanguageModel is trained on .* only")
@pytest.mark.parametrize("sequence", ["sentence", "document"])
def test_a_sentence_is_memorised(sequence):
    sentence = "The quick brown fox jumps over the lazy dog."
    model = ElmoLanguageModel(
        **SMALL, max_epochs=150, early_stopping=False, dropout=0.0, min_count=1,
        learning_rate_init=0.02, tol=0.0, n_iter_no_change=150, sequence=sequence,
    ).fit([sentence])  # fmt: skip
    perplexity = model.perplexity([sentence])
    assert max(perplexity) < 1.1
    assert model.perplexity(["Dog lazy the over jumps fox."]).mean > 5


@pytest.fixture(scope="module")
def docstrings():
    """Return documents to train on and others, of different functions."""
    texts = list(load_docstrings(return_X_y=True)[0])
    random.Random(0).shuffle(texts)
    return texts[:900], texts[900:1050]


@pytest.fixture(scope="module")
def learned(docstrings):
    """Return a model that a few epochs of documentation taught."""
    model = ElmoLanguageModel(
        **SMALL, max_epochs=4, batch_tokens=256, learning_rate_init=0.01, n_samples=400
    )
    return model.fit(docstrings[0])


@pytest.mark.slow
def test_perplexity_beats_the_unigrams_on_held_out_text(learned, docstrings):
    train, held_out = docstrings
    unigram = unigram_perplexity(train, held_out, learned.vocabulary_)
    got = learned.perplexity(held_out)
    assert got.forward < 0.8 * unigram
    assert got.backward < 0.8 * unigram
    perplexities = [record.validation_perplexity for record in learned.history_]
    assert perplexities == sorted(perplexities, reverse=True)


AGREEMENT = {"dog": "barked", "cat": "purred", "crow": "cawed", "cow": "mooed"}


def agreeing_sentences(n, seed):
    """Return sentences whose verb is decided by a noun four words before it."""
    rng = random.Random(seed)
    ways = ("that we saw", "which they heard", "that you liked", "which I fed")
    nouns = rng.choices(sorted(AGREEMENT), k=n)
    return [f"the {x} {rng.choice(ways)} often {AGREEMENT[x]}" for x in nouns]


def bigram_perplexity(train, held_out):
    """Return the perplexity of relative frequencies of pairs; all must be known."""
    pairs, firsts = Counter(), Counter()
    for text in train:
        words = ["<S>", *text.split(), "</S>"]
        pairs.update(zip(words, words[1:], strict=False))
        firsts.update(words[:-1])
    losses = []
    for text in held_out:
        words = ["<S>", *text.split(), "</S>"]
        for pair in zip(words, words[1:], strict=False):
            losses.append(-math.log(pairs[pair] / firsts[pair[0]]))
    return math.exp(np.mean(losses))


@pytest.mark.slow
def test_one_epoch_beats_bigrams_on_held_out_text():
    train, held_out = agreeing_sentences(3000, 0), agreeing_sentences(200, 1)
    model = ElmoLanguageModel(
        **SMALL, max_epochs=1, learning_rate_init=0.01, batch_tokens=64, dropout=0.0
    ).fit(train)
    got = model.perplexity(held_out)
    backwards = [" ".join(reversed(text.split())) for text in (*train, *held_out)]
    assert got.forward < bigram_perplexity(train, held_out) - 0.1
    assert got.backward < bigram_perplexity(backwards[:3000], backwards[3000:]) - 0.1


def test_sentences_score_above_their_words_in_another_order():
    documents = [" ".join(sentence) for d in documents_of(300) for sentence in d]
    model = ElmoLanguageModel(
        **SMALL, max_epochs=4, learning_rate_init=0.02, batch_tokens=256
    ).fit(documents)
    rng = random.Random(1)
    real = [" ".join(s) for d in documents_of(60, seed=9) for s in d]
    shuffled = [" ".join(rng.sample(text.split(), 6)) for text in real]
    scores = model.score_samples([*real, *shuffled])
    truth = [1] * len(real) + [0] * len(shuffled)
    assert roc_auc_score(truth, scores) > 0.9


def log_probabilities(model, tokens):
    """Return what each direction gives each token of a sentence, in its place."""
    network = model.network_
    marked = ["<S>", *tokens, "</S>"]
    rows = {word: k for k, word in enumerate(model.vocabulary_)}
    words = torch.tensor([rows.get(token, 2) for token in marked])
    with torch.no_grad():
        chars = torch.from_numpy(encode_tokens(marked, 50)).long()
        vectors = network.bilm.token_encoder(chars, None)
        output = network.bilm(vectors, [1] * len(marked))
        forward = network.softmax.nll(output.forward[-1][:-1], words[1:])
        backward = network.softmax.nll(output.backward[-1][1:], words[:-1])
    return forward.numpy(), backward.numpy()


def test_no_direction_sees_what_it_predicts(learned):
    tokens = tokenize("Return the number of rows in the given file.")
    words = iter(["the", "path", "value", "object", "name"])
    forward, backward = log_probabilities(learned, tokens)
    for place in range(len(tokens)):
        changed = list(tokens)
        changed[place] = (
            next(w for w in words if w in learned.vocabulary_)
            if (place < 4)
            else "name"
        )
        if changed[place] == tokens[place]:
            continue
        other_forward, other_backward = log_probabilities(learned, changed)
        # Forward, index k predicts token k; backward, index k predicts token k - 1.
        np.testing.assert_array_equal(other_forward[:place], forward[:place])
        np.testing.assert_array_equal(
            other_backward[place + 2 :], backward[place + 2 :]
        )
        assert (other_forward[place + 1 :] != forward[place + 1 :]).all()
        assert (other_backward[: place + 1] != backward[: place + 1]).all()


def test_the_past_decides_forward_scores_and_the_future_backward_ones(learned):
    tokens = tokenize("Return the number of rows in the given file.")
    forward, backward = log_probabilities(learned, tokens)
    text = " ".join(tokens)
    assert math.log(learned.perplexity([text]).forward) == pytest.approx(
        forward.mean(), rel=1e-5
    )
    assert math.log(learned.perplexity([text]).backward) == pytest.approx(
        backward.mean(), rel=1e-5
    )
