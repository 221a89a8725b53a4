"""What bad parameters get: a sentence that says rule, value and remedy."""

import pickle
import re

import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skelmo import ElmoLanguageModel, ElmoVectorizer


def sure(message):
    return f"^{re.escape(message)}$"


def test_tied_weights_need_equal_sizes(tiny, texts):
    model = ElmoLanguageModel(**tiny, tie_weights=True, word_embedding_dim=5)
    message = (
        "tie_weights=True of ElmoLanguageModel needs word_embedding_dim equal to "
        "proj_size, got 5 and 8. Set word_embedding_dim=8, or tie_weights=False."
    )
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(texts)


def test_word_vectors_need_an_embedding(tiny, texts):
    model = ElmoLanguageModel(**tiny, init_word_vectors="vectors.txt")
    message = (
        "init_word_vectors of ElmoLanguageModel needs a word-level embedding, got "
        "word_embedding_dim=0. Set it to the size of the vectors."
    )
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(texts)


def test_filters_have_a_form_and_fit_into_a_token(tiny, texts):
    message = (
        "The 'filters' parameter of ElmoLanguageModel must be pairs (width, number) of "
        "positive integers. Got ((0, 4),) instead."
    )
    with pytest.raises(ValueError, match=sure(message)):
        ElmoLanguageModel(**{**tiny, "filters": ((0, 4),)}).fit(texts)
    message = (
        "The 'filters' parameter of ElmoLanguageModel must not be wider than "
        "max_characters=6. Got a width of 7 instead."
    )
    model = ElmoLanguageModel(**{**tiny, "filters": ((1, 4), (7, 4))}, max_characters=6)
    with pytest.raises(ValueError, match=sure(message)):
        model.fit(texts)


@pytest.mark.parametrize(
    "layers", [3, -4, True, [], [0, 3], [True], [1.0], [None], [0, 0], [2, -1]]
)
def test_layers_name_those_there_are(frozen, tiny, texts, layers):
    message = (
        f"The 'layers' parameter of ElmoVectorizer must name different layers of this "
        f"language model, 0 to 2 or -3 to -1, or be 'mean', 'top', 'concat' or "
        f"'learned'. Got {layers!r} instead."
    )

    def tokenizer(sentence):
        raise AssertionError("the layers are wrong before there is any work to do")

    untrained = ElmoLanguageModel(**tiny, tokenizer=tokenizer)
    for language_model in (frozen, untrained):
        vectorizer = ElmoVectorizer(language_model=language_model, layers=layers)
        with pytest.raises(ValueError, match=sure(message)):
            vectorizer.fit(texts)


@pytest.mark.parametrize(
    "pooling", [[], ["mean", "mean"], ["mean", "sum"], [1], [["mean"]], ("mean", None)]
)
def test_pooling_names_known_ones(frozen, texts, pooling):
    message = (
        f"The 'pooling' parameter of ElmoVectorizer must be one of mean, max, min, "
        f"last, std or a list of different ones. Got {pooling!r} instead."
    )
    vectorizer = ElmoVectorizer(language_model=frozen, pooling=pooling)
    with pytest.raises(ValueError, match=sure(message)):
        vectorizer.fit(texts)


def among(*words):
    """Match a set of words as Python prints it, in any order."""
    return r"a str among \{" + f"(?:(?:{'|'.join(words)}|'|, )+)" + r"\}"


@pytest.mark.parametrize(
    ("estimator", "value", "rule"),
    [
        (ElmoVectorizer(max_batch_tokens=0), "0", r"an int in the range \[1, inf\)"),
        (
            ElmoVectorizer(layers="first"),
            "'first'",
            among("mean", "top", "concat", "learned")
            + ", an instance of 'int', an instance of 'list' or an instance of 'tuple'",
        ),
        (ElmoVectorizer(missing=None), "None", among("error", "empty", "nan")),
        (ElmoVectorizer(tokenizer="split"), "'split'", "a callable or None"),
        (ElmoLanguageModel(hidden_size=0), "0", r"an int in the range \[1, inf\)"),
        (
            ElmoLanguageModel(dropout=1.0),
            r"1\.0",
            r"a float in the range \[0\.0, 1\.0\)",
        ),
        (ElmoLanguageModel(softmax="no"), "'no'", among("full", "sampled")),
        (ElmoLanguageModel(filters="abc"), "'abc'", "an array-like"),
    ],
    ids=repr,
)
def test_wrong_parameters_get_the_sentence_of_scikit_learn(estimator, value, rule):
    default = type(estimator)().get_params()
    (name,) = [k for k, v in estimator.get_params().items() if v != default[k]]
    message = (
        f"^The '{name}' parameter of {type(estimator).__name__} must be {rule}. Got "
        f"{value} instead.$"
    )
    with pytest.raises(InvalidParameterError, match=message):
        estimator.fit(["The cat sat."])


@pytest.mark.parametrize("name", ["cuda:99", "no-such-device"])
def test_device_that_is_not_there_is_named(tiny, texts, name):
    model = ElmoLanguageModel(**{**tiny, "device": name})
    message = (
        f"^device='{name}' cannot be used here: .*Set device='auto' or device='cpu'\\.$"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(texts)


def test_pickle_from_a_machine_with_another_device_loads_on_the_cpu(tiny, texts):
    model = ElmoLanguageModel(**tiny).fit(texts)
    score = model.score(texts)
    model.device = "cuda:99"
    assert pickle.loads(pickle.dumps(model)).score(texts) == score
