"""Scripts of tokens and vocabularies, and the warning of those never read."""

import copy
import dataclasses
import re
import unicodedata

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

from skelmo import (
    ElmoClassifier,
    ElmoLanguageModel,
    ElmoRegressor,
    ElmoVectorizer,
    split_sentences,
    tokenize,
)
from skelmo.text.scripts import known_scripts, script_counts, script_of

# How the names of a script's letters begin.
NAMES = {
    "ARABIC LETTER": "Arabic",
    "CJK UNIFIED IDEOGRAPH": "Han",
    "CYRILLIC SMALL LETTER": "Cyrillic",
    "GREEK CAPITAL LETTER": "Greek",
    "HANGUL SYLLABLE": "Hangul",
    "HEBREW LETTER": "Hebrew",
    "HIRAGANA LETTER": "Hiragana",
    "KATAKANA LETTER": "Katakana",
    "LATIN SMALL LETTER": "Latin",
    "THAI CHARACTER": "Thai",
}


def test_scripts_agree_with_the_names_of_letters():
    n_compared = 0
    for character in map(chr, range(0x10000)):
        name = unicodedata.name(character, "")
        if not name:
            continue  # not in the edition of Unicode that Python has
        assert (script_of(character) is None) == (not character.isalpha()), name
        beginning = next((each for each in NAMES if name.startswith(each)), None)
        if beginning is not None and character.isalpha():
            n_compared += 1
            assert script_of(character) == NAMES[beginning], name
    assert n_compared > 30_000


@pytest.mark.parametrize(
    ("token", "script"),
    [
        ("naïve", "Latin"),
        ("«Élan", "Latin"),
        ("4x4", "Latin"),
        ("", None),
        ("!!!", None),
        ("1,000.50", None),
        ("😀", None),
        ("٣٤", None),
        ("好", "Han"),
        ("𠀀", "Han"),
        ("ありがとう", "Hiragana"),
        ("ёлка", "Cyrillic"),
        ("\ud800", None),
    ],
)
def test_a_token_has_the_script_of_its_first_letter(token, script):
    assert script_of(token) == script


def test_tokens_are_counted_as_often_as_they_occur():
    counts = script_counts({"a": 2, "b": 3, "好": 4, "!": 5})
    assert counts == {"Latin": 5, "Han": 4, None: 5}


def test_stray_words_do_not_make_a_script_known():
    words = [f"word{k}" for k in range(300)] + ["123", "!", "😀"]
    assert known_scripts([*words, "好", "我"]) == {"Latin"}
    assert known_scripts([*words, *"一二三四五六七八"]) == {"Latin", "Han"}


def test_a_vocabulary_without_letters_knows_none():
    assert known_scripts([]) == known_scripts(["1", "!"]) == frozenset()


CHINESE = ["房间很干净，服务也不错，下次还会来。", "早餐一般，位置很好！", "太差了。"]
RUSSIAN = ["Номер был чистый, завтрак вкусный, персонал приветливый.", "Мы приедем!"]
ENGLISH = [
    "Great café 😀😀, 12 naïve façades at $5.30 :-)",
    "Ça va? 10/10 👍👍👍 好",
    "1234 5678 !!! 😀",
    "",
]
UNREAD = (
    "ElmoVectorizer: {:.0%} of the tokens are of scripts that the language model has "
    "hardly ever read, most of them {}, so that features say little. {}"
)
SET_ZH = "Set language_model='zh', the Chinese model that comes with skelmo."
TRAIN = (
    "Pre-train one on such texts, ElmoLanguageModel().fit(texts), and give that as "
    "language_model."
)


@pytest.mark.parametrize(
    ("texts", "script", "remedy"),
    [
        (CHINESE, "Han", SET_ZH),
        (RUSSIAN, "Cyrillic", TRAIN),
        (["部屋はとても清潔です。また来たいと思います。"], "Han", TRAIN),
        ([*CHINESE, *RUSSIAN, "Good!"], "Han", SET_ZH),
    ],
    ids=["chinese", "russian", "japanese", "mixed"],
)
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_fit_warns_once_of_a_script_never_read(texts, script, remedy, method):
    elmo = ElmoVectorizer()
    tokens = [
        token for text in texts for s in split_sentences(text) for token in tokenize(s)
    ]
    unread = [token for token in tokens if token[0].isalpha() and not token.isascii()]
    message = UNREAD.format(len(unread) / len(tokens), script, remedy)
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$") as record:
        getattr(elmo, method)(texts)
    assert [warning.filename for warning in record] == [__file__]
    elmo.transform(texts)  # a warning is an error here


def test_of_what_was_read_nobody_is_warned():
    for text in ENGLISH:
        ElmoVectorizer().fit([text])
    ElmoVectorizer().fit([*ENGLISH, "So clean, 房间很干净"])
    for text in CHINESE:
        ElmoVectorizer(language_model="zh").fit([text])


def test_who_trained_on_a_script_is_not_warned(tiny):
    texts = [text for text in RUSSIAN for _ in range(90)]
    model = ElmoLanguageModel(**tiny).fit(texts)
    ElmoVectorizer(language_model=FrozenEstimator(model)).fit(RUSSIAN)
    ElmoVectorizer(language_model=ElmoLanguageModel(**tiny)).fit(texts)
    with pytest.warns(UserWarning, match="most of them Han, so that features say"):
        ElmoVectorizer(language_model=FrozenEstimator(model)).fit(CHINESE)


def test_without_a_vocabulary_nothing_is_known_of_scripts(language_model):
    model = copy.copy(language_model)
    model.model_ = dataclasses.replace(model.model_, vocabulary=None)
    ElmoVectorizer(language_model=FrozenEstimator(model)).fit(CHINESE)


WORDS_OF_CHINESE = ["房间", "很", "干净", "服务", "不错", "下次", "早餐", "位置", "太"]
SEGMENTED = [["房间", "很", "干净", "，", "服务", "也", "不错"], ["早餐", "一般"]]
UNSEGMENTED = (
    "{}: {}, but the language model was trained on words, as a segmenter "
    "cuts them. Set tokenizer to one, as in tokenizer=jieba.lcut of the package jieba."
)


def chinese_model(language_model, vocabulary, alphabet=None):
    """Return a fitted model that seems to have read Chinese."""
    model = copy.copy(language_model)
    if vocabulary is not None:
        vocabulary = ["<S>", "</S>", "<UNK>", *vocabulary]
    model.model_ = dataclasses.replace(
        model.model_, vocabulary=vocabulary, alphabet=alphabet
    )
    return FrozenEstimator(model)


@pytest.mark.parametrize(
    ("documents", "given", "found"),
    [
        (CHINESE, "text", "100% of the Chinese tokens are single characters"),
        (
            [["房间很干净服务也不错下次还会来"], ["早餐一般位置很好"]],
            "tokens",
            "Chinese tokens have 12 characters on average",
        ),
    ],
)
@pytest.mark.parametrize("vocabulary", [WORDS_OF_CHINESE, None])
@pytest.mark.parametrize("kind", [ElmoVectorizer, ElmoClassifier, ElmoRegressor])
@pytest.mark.filterwarnings("ignore:.* of the tokens are of scripts")
def test_fit_warns_of_chinese_that_nobody_segmented(
    documents, given, found, vocabulary, kind, language_model
):
    frozen = chinese_model(language_model, vocabulary, alphabet=["好"])
    estimator = kind(frozen, input=given)
    if kind is not ElmoVectorizer:
        estimator.set_params(tune="none", max_iter=1, cache=None)
    message = UNSEGMENTED.format(kind.__name__, found)
    # The first warning that is not ignored.
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        estimator.fit(documents, np.arange(len(documents)))


def test_nobody_is_warned_who_segments_or_need_not(language_model):
    words = chinese_model(language_model, WORDS_OF_CHINESE)
    ElmoVectorizer(words, input="tokens").fit(SEGMENTED)
    read = [*"房间很干净服务也不错，下次还会来早餐般位置好太差了一"]
    characters = chinese_model(language_model, read)
    ElmoVectorizer(characters).fit(CHINESE)
    ElmoVectorizer(chinese_model(language_model, None)).fit(CHINESE)
    japanese = ["部屋はとても清潔です。また来たいと思います。"]
    ElmoVectorizer(chinese_model(language_model, None, ["部"])).fit(japanese)
