import copy
import math
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError

from skelmo import ElmoLanguageModel, ElmoVectorizer, cache_info
from skelmo.encoding.encoder import Encoder
from skelmo.inspection import TextReport, cost, counts, inspect_text
from skelmo.inspection.cost import EncodingEstimate
from skelmo.inspection.counts import CutTokens, Quantiles, TokenExample, UnseenTokens
from skelmo.inspection.damage import Occurrences
from skelmo.text import sequences
from skelmo.text.analysis import Analyzer
from skelmo.text.tokenization import split_sentences, tokenize

LONG = "z" * 60
DOCUMENTS = [
    "The cat watches the moon. It rains!",
    None,
    "The cat watches the moon.   It rains!",  # a duplicate in all but the spaces
    "",
    "   ",
    "Meow",
    "Two words",
    float("nan"),
    f"A {LONG} and a {'ж' * 30} and a {LONG}.",
    f"Again {LONG}",
    "The cat watches the moon. It rains!",
    "Она пишет 我爱 it.",
    pd.NA,
    pd.NaT,
    "<S> </S> <UNK>",
]


def brute_force(documents):
    """Sentences of each document that is not missing."""
    return [
        [tokenize(sentence) for sentence in split_sentences(document)]
        for document in documents
        if isinstance(document, str)
    ]


def quantiles(values):
    frame = pd.Series(values)
    inner = frame.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    return (min(values), *inner, max(values), frame.mean(), sum(values))


@pytest.fixture(params=[None, 5], ids=["at once", "in chunks"])
def chunk(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(sequences, "CHUNK", request.param)
        monkeypatch.setattr(counts, "_CHARACTERS_AT_ONCE", request.param)


@pytest.mark.usefixtures("chunk")
def test_counts_are_those_of_brute_force():
    report = inspect_text(DOCUMENTS)
    cut = brute_force(DOCUMENTS)
    flat = [[token for sentence in document for token in sentence] for document in cut]
    n_tokens = [len(document) for document in flat]
    assert report.n_documents == len(DOCUMENTS) == 15
    assert report.n_missing == 4
    assert report.n_empty == n_tokens.count(0) == 2
    assert report.n_near_empty == n_tokens.count(1) + n_tokens.count(2) == 3
    assert report.n_duplicates == len(cut) - len({str(d) for d in cut}) == 3
    assert report.n_types == len({token for document in flat for token in document})
    assert report.tokens == pytest.approx(quantiles(n_tokens))
    assert report.sentences == pytest.approx(quantiles([len(d) for d in cut]))
    assert (report.cut, report.unseen, report.estimate) == (None, None, None)


MIXED = [
    "a b我",
    "a b我",
    "Ärger!",
    "привет",
    "ᚠᛖ 12 ,,",
    "한국 ไทย",
    "ー",
    "ªº𐐀",
    "हिन्दी Ⅷ",
]


def script_of(character):
    first = unicodedata.name(character).split()[0]
    names = {"CJK": "Han", "FEMININE": "Latin", "MASCULINE": "Latin"}
    found = names.get(first, first.capitalize())
    known = {"Latin", "Cyrillic", "Han", "Hangul", "Thai", "Devanagari"}
    return found if found in known else "other"


@pytest.mark.usefixtures("chunk")
def test_scripts_are_those_of_the_letters():
    letters = [c for text in MIXED for c in text if c.isalpha()]
    counts = Counter(map(script_of, letters))
    expected = {script: n / len(letters) for script, n in counts.items()}
    scripts = inspect_text(MIXED).scripts
    assert scripts == pytest.approx(expected)
    assert list(scripts.values()) == sorted(scripts.values(), reverse=True)
    assert scripts["other"] == pytest.approx(4 / len(letters))  # runes, ー, Deseret
    assert inspect_text(["12 !!"]).scripts == {}


@pytest.mark.usefixtures("chunk")
def test_cut_tokens(language_model):
    report = inspect_text(DOCUMENTS, language_model)
    tokens = [t for d in brute_force(DOCUMENTS) for s in d for t in s]
    long = [token for token in tokens if len(token.encode()) > 48]
    assert report.cut == CutTokens(
        48, len(long), 2, [TokenExample(LONG, 3, 60), TokenExample("ж" * 30, 1, 60)]
    )
    exact = inspect_text(["z" * 48, "é" * 24, "é" * 24 + "z"], language_model)
    assert exact.cut == CutTokens(48, 1, 1, [TokenExample("é" * 24 + "z", 1, 49)])


def test_cut_is_what_fit_counts_as_cut(frozen):
    vectorizer = ElmoVectorizer(language_model=frozen, missing="empty")
    X = [*DOCUMENTS, *DOCUMENTS[8:10]]
    report = inspect_text(X, vectorizer.fit(X))
    assert report.cut[1:3] == vectorizer.truncation_ == (8, 4)


@pytest.mark.usefixtures("chunk")
def test_unseen_tokens(language_model):
    report = inspect_text(DOCUMENTS, language_model)
    tokens = [t for d in brute_force(DOCUMENTS) for s in d for t in s]
    known = set(language_model.vocabulary_)
    missing = Counter(token for token in tokens if token not in known)
    assert report.unseen.share == pytest.approx(missing.total() / len(tokens))
    share = len(missing) / len(set(tokens))
    assert report.unseen.share_of_types == pytest.approx(share)
    assert report.unseen.training_share == language_model.unknown_share_
    best = sorted(missing.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [(e.token, e.n) for e in report.unseen.examples] == best
    assert best[0][1] == 3
    assert all(len(e.token.encode()) == e.n_bytes for e in report.unseen.examples)


def test_texts_of_training_have_the_unknown_share_of_training(language_model, texts):
    report = inspect_text(texts, language_model)
    assert report.unseen.share == language_model.unknown_share_


def test_model_without_vocabulary_knows_no_unseen(language_model):
    bare = copy.copy(language_model)
    bare.model_ = replace(language_model.model_, vocabulary=None)
    report = inspect_text(["The cat"], bare)
    assert report.unseen is None
    assert report.cut == CutTokens(48, 0, 0, [])
    bare.model_ = replace(bare.model_, vocabulary=["The"], unknown_share=math.nan)
    assert inspect_text(["The cat"], bare).unseen == UnseenTokens(
        0.5, 0.5, None, [TokenExample("cat", 1, 3)]
    )


def garbled(text, wrong):
    return text.encode("utf-8").decode(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc\r\nd e\u3000f", {}),
        ("a\x00b\x07 \x0c \x7f \x85", {"control characters": 5}),
        ("\ufffd\ufffd a", {"replacement characters": 2}),
        ("\ud800 and \udfff", {"lone surrogates": 2}),
        (garbled("é", "cp1252"), {"mojibake": 1}),
        (garbled("é", "latin-1"), {"mojibake": 1}),
        (garbled("déjà vu, naïve", "latin-1"), {"mojibake": 3}),
        (garbled("CAFÉ", "cp1252"), {"mojibake": 1}),
        (garbled("it’s", "cp1252"), {"mojibake": 1}),
        (garbled("it’s", "latin-1"), {"mojibake": 1}),
        (garbled("™", "cp1252"), {"mojibake": 1}),
        (garbled("10\xa0€", "cp1252"), {"mojibake": 2}),
        (garbled("\ufeffHi", "cp1252"), {"mojibake": 1}),
        (garbled("😀", "cp1252"), {"mojibake": 1}),
        (garbled("да", "latin-1"), {"mojibake": 1}),
        (garbled("και", "latin-1"), {"mojibake": 1}),
        ("Été à Âge, «NÃO», AMANHÃ” â í Î Ï Ð Ñ ð ÐÑ «à» où", {}),
        ("jusqu’à\xa0» MENÜ“ CAFÉ» Žižek’s Şükrü", {}),
        ("<p>a</P> <br/><br /> <a href='x>'>", {"HTML": 5}),
        ("a < b, c<d> <3 <unk> <S> </s> <party> <b or <p> <b", {"HTML": 1}),
        ("&amp; &#39; &#x1F600; AT&T; Q&A &", {"HTML": 3}),
    ],
)
def test_damage(text, expected):
    report = inspect_text([text, text, "sound"])
    found = {kind: n for kind, (n, _) in report.damage.items() if n}
    assert found == {kind: 2 * n for kind, n in expected.items()}
    where = {kind: n for kind, (_, n) in report.damage.items() if n}
    assert where == dict.fromkeys(found, 2)


def test_damage_of_tokens():
    X = [["a", "\x00"], [["Ã", "©"], ["Ã©"]], [], None]
    report = inspect_text(X, input="tokens")
    assert report.damage["control characters"] == Occurrences(1, 1)
    assert report.damage["mojibake"] == Occurrences(1, 1)
    assert (report.n_missing, report.n_empty, report.sentences.total) == (1, 1, 3)


def test_everything_that_holds_documents_is_read_once(language_model):
    given = ["The cat.", None, "The cat.", "A dog"]
    expected = inspect_text(given)
    holders = [
        (text for text in given),
        pd.Series(given),
        pd.DataFrame({"text": given}),
        np.array(given, dtype=object),
        np.array(given, dtype=object)[:, None],
        (text and text.encode() for text in given),
    ]
    for holder in holders:
        assert inspect_text(holder) == expected
    assert (expected.n_documents, expected.n_duplicates) == (4, 1)


def test_documents_are_not_kept():
    class Text(str):
        alive = 0

        def __new__(cls, value):
            Text.alive += 1
            return super().__new__(cls, value)

        def __del__(self):
            Text.alive -= 1

    most = 0

    def generate():
        nonlocal most
        for k in range(200):
            yield Text(f"number {k}")
            most = max(most, Text.alive)

    assert inspect_text(generate()).n_documents == 200
    assert most <= 3


@pytest.mark.parametrize("X", [[], [None, None], ["", " "], iter(())])
def test_there_may_be_nothing(X, language_model):
    n = len(X) if isinstance(X, list) else 0
    report = inspect_text(X, language_model)
    assert report.n_documents == n
    assert report.tokens.total == report.sentences.total == report.n_types == 0
    assert report.unseen == (0.0, 0.0, language_model.unknown_share_, [])
    n_distinct = int(n == 2 and X[0] == "")
    assert report.estimate == EncodingEstimate(n_distinct, 0.0, 0.0, 96, n * 96 * 4)
    assert str(report).count("\n") > 10
    assert "<table" in report._repr_html_()
    assert len(report.to_frame()) > 30
    if n == 0:
        assert report.tokens == report.sentences == Quantiles(*[0] * 9)
        assert report.advice == ["There are no documents."]


# Where tokens and settings come from.


def test_ways_to_give_a_language_model(language_model, frozen, texts, tmp_path):
    language_model.save(tmp_path / "model")
    vectorizer = ElmoVectorizer(language_model=frozen).fit(texts[:5])
    ways = [
        language_model, frozen, tmp_path / "model", str(tmp_path / "model"), vectorizer,
        FrozenEstimator(vectorizer),
    ]  # fmt: skip
    expected = inspect_text(texts, language_model)
    for way in ways:
        report = inspect_text(texts, way)
        assert report.cut == expected.cut
        assert report.unseen == expected.unseen
        assert report.estimate.n_features == 96


def test_vectorizer_says_how_to_cut_and_how_many_features(make):
    vectorizer = make(input="tokens", pooling=["mean", "max"], layers="concat")
    report = inspect_text([["a b", "c"], ["d"]], vectorizer)
    assert report.tokens.total == 3
    n_features = 16 * 3 * 2
    assert report.estimate[3:] == (n_features, 2 * n_features * 4)
    vectorizer = make(tokenizer=str.split, sentence_splitter="lines")
    report = inspect_text(["a. b, c\nd"], vectorizer)
    assert (report.tokens.total, report.sentences.total) == (4, 2)
    report = inspect_text([["a. b,"]], vectorizer, input="tokens")
    assert report.tokens.total == 1
    report = inspect_text(["a. b\nc"], vectorizer, tokenizer=list)
    assert (report.tokens.total, report.sentences.total) == (5, 2)
    splitter = re.compile(" ").split
    report = inspect_text(["a. b c\nd"], vectorizer, sentence_splitter=splitter)
    assert (report.tokens.total, report.sentences.total) == (4, 3)


def test_language_model_says_how_to_cut(tiny, texts, tmp_path):
    model = ElmoLanguageModel(**tiny, tokenizer=str.split, sequence="document")
    model.fit(texts)
    report = inspect_text(["a, b. C d."], model)
    assert (report.tokens.total, report.sentences.total) == (4, 1)
    model.save(tmp_path / "model")
    report = inspect_text(["a, b"], tmp_path / "model", tokenizer=list)
    assert report.tokens.total == 4
    report = inspect_text(["a,b\nc"], tokenizer=str.split, sentence_splitter="lines")
    assert (report.tokens.total, report.sentences.total) == (2, 2)


# Time and memory.


class Clock:
    """A clock by which the network takes what a test says: no time else."""

    def __init__(self, monkeypatch, per_row, per_type):
        self.now, self.rows = 0.0, []
        pool, token_vectors = Encoder.pool, Encoder.token_vectors

        def slow_pool(encoder, sequences, pooling, which=None):
            assert len(encoder.cache) == len(sequences.tokens)  # nothing is unknown
            yield from pool(encoder, sequences, pooling, which)
            self.rows.append(len(sequences.token_ids))
            self.now += per_row * len(sequences.token_ids)

        def slow_vectors(encoder, tokens):
            if not len(encoder.cache):
                self.now += per_type * len(tokens)
            return token_vectors(encoder, tokens)

        monkeypatch.setattr(Encoder, "pool", slow_pool)
        monkeypatch.setattr(Encoder, "token_vectors", slow_vectors)
        monkeypatch.setattr(cost, "perf_counter", lambda: self.now)


@pytest.mark.parametrize(
    ("per_row", "n_passes"), [(1.0, 1), (1e-3, 2), (2e-4, 4), (1e-9, 6)]
)
def test_time_is_extrapolated_to_rows_and_types(
    monkeypatch, language_model, texts, per_row, n_passes
):
    clock = Clock(monkeypatch, per_row, per_type=per_row / 2)
    different = dict.fromkeys(texts)
    X = [f"{text} number{k}" for k in range(10) for text in different]
    report = inspect_text([*X, *X, None], language_model)
    sequences = [s for d in brute_force(X) for s in d]
    n_tokens = sum(map(len, sequences))
    n_rows = n_tokens + 2 * len(sequences)
    seconds = per_row * n_rows + per_row / 2 * (report.n_types + 2)
    assert report.n_duplicates == report.estimate.n_documents == len(X)
    assert report.estimate.seconds == pytest.approx(seconds)
    assert report.estimate.tokens_per_second == pytest.approx(n_tokens / seconds)
    assert report.estimate.n_bytes == (2 * len(X) + 1) * 96 * 4
    limits = [128, 128, 512, 2048, 8192, 32768]
    assert len(clock.rows) == n_passes
    for rows, limit in zip(clock.rows, limits, strict=False):
        assert min(limit, n_rows) - 30 < rows <= limit


def test_repeated_documents_cost_nothing_distinct_ones_do(
    monkeypatch, language_model, texts
):
    Clock(monkeypatch, per_row=1.0, per_type=0.0)
    X = list(dict.fromkeys(texts))
    once = inspect_text(X, language_model).estimate
    again = inspect_text(X * 3, language_model).estimate
    assert again[:3] == pytest.approx(once[:3])
    assert again.n_bytes == 3 * once.n_bytes
    made_distinct = [text + f" x{k}" for k in range(3) for text in X]
    other = inspect_text(made_distinct, language_model).estimate
    assert other.n_documents == 3 * once.n_documents
    assert other.seconds == pytest.approx(3 * once.seconds, rel=0.3)


def test_sample_is_small_and_bounded(monkeypatch, language_model):
    clock = Clock(monkeypatch, per_row=1e-3, per_type=0.0)
    report = inspect_text([["a"] * 5000] * 3, language_model, input="tokens")
    assert clock.rows == [128, 128]
    assert report.estimate.seconds == pytest.approx(5.002)
    clock.rows.clear()
    inspect_text([["a"] * 100], language_model, input="tokens")
    assert clock.rows == [102, 102]
    clock = Clock(monkeypatch, per_row=0.0, per_type=0.0)
    inspect_text([["a"] * 5000], language_model, input="tokens")
    assert clock.rows[-1] == 5002


def test_estimate_is_measured(language_model, texts):
    cost_of = inspect_text(texts, language_model).estimate
    assert cost_of.seconds > 0
    assert cost_of.tokens_per_second > 0
    assert cost_info() == (0, 0, 0)


def cost_info():
    return cache_info()[:3]


# What is shown.


def report_of(**changes):
    values = {
        "n_documents": 1000, "n_missing": 0, "n_empty": 0, "n_near_empty": 0,
        "n_duplicates": 0, "n_types": 2000, "tokens": Quantiles(3, 4, 5.5, 6, 7, 8, 9,
        6.04, 6040), "sentences": Quantiles(1, 1, 1, 1, 1, 2, 3, 1.1, 1100),
        "scripts": {"Latin": 0.75, "Han": 0.2495, "Thai": 0.0005},
        "damage": {"mojibake": Occurrences(0, 0)}, **changes,
    }  # fmt: skip
    return TextReport(**values)


def test_sound_texts_need_no_advice():
    assert str(report_of()).splitlines() == [
        "documents             1,000",
        "  missing             0",
        "  empty               0",
        "  with 1 or 2 tokens  0",
        "  duplicates          0",
        "tokens                6,040, 2,000 different",
        "  in a document       min 3, 5% 4, 25% 5.5, median 6, 75% 7, 95% 8, max 9, "
        "mean 6.0",
        "sentences             1,100",
        "  in a document       min 1, 5% 1, 25% 1, median 1, 75% 1, 95% 2, max 3, "
        "mean 1.1",
        "scripts of letters    Latin 75.0%, Han 24.9%, Thai <0.1%",
    ]
    assert "<ul>" not in report_of()._repr_html_()


def sick():
    return report_of(
        n_missing=1,
        n_empty=2,
        n_near_empty=20,
        n_duplicates=310,
        damage={"mojibake": Occurrences(7, 1), "HTML": Occurrences(90, 45)},
        cut=CutTokens(48, 7, 1, [TokenExample(LONG, 7, 60)]),
        unseen=UnseenTokens(0.12, 0.34, 0.01, [TokenExample("a\x00\ud800b", 1234, 4)]),
        estimate=EncodingEstimate(690, 8000.0, 0.75, 256, 1_024_000),
    )


def test_what_is_wrong_is_said():
    assert str(sick()).splitlines()[10:] == [
        "mojibake              7 in 1 document (0.1%)",
        "HTML                  90 in 45 documents (4.5%)",
        "longer than 48 bytes  7 tokens (0.1%) in 1 document",
        f"  as                  '{'z' * 39}…' 7x of 60 bytes",
        "unseen in training    12.0% of tokens, 34.0% of the different ones (in "
        "training 1.0%)",
        r"  as                  'a\x00\ud800b' 1,234x",
        "time to encode        about 2.2 hours for 690 distinct documents (1 tokens/s)",
        "features              1,000 x 256, 1,000 KiB",
        "! Missing: 1 of 1,000 documents (0.1%). Fill them in, or set missing='empty' "
        "or 'nan'.",
        "! Empty: 2 of 1,000 documents (0.2%). Their features are zeros. Drop them if "
        "you can.",
        "! Duplicates: 310 of 1,000 documents (31.0%). Copies of one text on both "
        "sides of a split make a score too good.",
        "! With only 1 or 2 tokens: 20 of 1,000 documents (2.0%). A language model "
        "has little context there.",
        "! With mojibake: 1 of 1,000 documents (0.1%). UTF-8 was read in another "
        "encoding: read the source again with encoding='utf-8'.",
        "! With HTML: 45 of 1,000 documents (4.5%). If it is no part of what you "
        "study, take tags out and call html.unescape.",
        "! Tokens longer than 48 bytes are cut: 7 of 6,040 tokens (0.1%), as "
        f"'{'z' * 39}…'. Use a tokenizer that cuts shorter tokens.",
        "! Unseen in training: 12.0% of the tokens. Consider training on with "
        "ElmoLanguageModel(init=...).fit(X).",
        "! Encoding takes about 2.2 hours on this machine and gives 1,000 KiB. "
        "docs/user_guide/scale.md tells how to spread it over machines.",
    ]


def test_long_encoding_leads_to_the_page_on_scale():
    assert report_of().cost is None
    short = report_of(estimate=EncodingEstimate(9, 3600.0, 10.0, 4, 2**31))
    said = "Encoding takes about 60.0 minutes on this machine and gives 2.0 GiB."
    assert (short.cost, short.advice) == (said, [])
    long = report_of(estimate=EncodingEstimate(9, 7201.0, 10.0, 4, 2**31))
    said = said.replace("60.0 minutes", "2.0 hours")
    said += " docs/user_guide/scale.md tells how to spread it over machines."
    assert (long.cost, long.advice) == (said, [said])
    page = re.search(r"docs/\S+", long.cost)[0]
    assert (Path(__file__).parents[1] / page).is_file()


def test_what_is_not_there_has_no_share():
    cut, unseen = CutTokens(48, 0, 0, []), UnseenTokens(0.0, 0.0, None, [])
    assert str(report_of(cut=cut, unseen=unseen)).splitlines()[-2:] == [
        "longer than 48 bytes  0 tokens in 0 documents",
        "unseen in training    0.0% of tokens, 0.0% of the different ones",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"n_duplicates": 10},
        {"n_near_empty": 10},
        {"damage": {"HTML": Occurrences(50, 10)}},
        {"cut": CutTokens(48, 6, 6, [TokenExample(LONG, 6, 60)])},
        {"unseen": UnseenTokens(0.05, 0.9, None, [])},
        {"unseen": UnseenTokens(0.3, 0.9, 0.15, [])},
    ],
)
def test_what_is_rare_asks_for_no_advice(changes):
    assert report_of(**changes).advice == []


@pytest.mark.parametrize(
    ("seconds", "n_bytes", "expected"),
    [
        (0.0123, 1023, ["about 0.012 s for", ", 1,023 bytes"]),
        (1.26, 2048, ["about 1.3 s for", ", 2 KiB"]),
        (119.4, 3 * 2**20, ["about 119 s for", ", 3 MiB"]),
        (120, 2**30, ["about 2.0 minutes for", ", 1.0 GiB"]),
        (7200, 2**41, ["about 2.0 hours for", ", 2,048.0 GiB"]),
    ],
)
def test_units(seconds, n_bytes, expected):
    text = str(report_of(estimate=EncodingEstimate(1, seconds, 10.0, 4, n_bytes)))
    for part in expected:
        assert part in text


def test_all_numbers_are_in_the_frame():
    report = sick()
    values = report.to_frame()["value"]
    assert values["n_duplicates"] == 310
    assert values["tokens.median"] == 6
    assert values["scripts.Han"] == 0.2495
    assert values["damage.mojibake.n_documents"] == 1
    assert values["cut.n_tokens"] == 7
    assert values["unseen.share_of_types"] == 0.34
    assert values["estimate.n_bytes"] == 1_024_000
    assert len(values) == 6 + 9 + 9 + 3 + 4 + 3 + 3 + 5
    assert values.dtype == float


class Page(HTMLParser):
    """Tags, attributes and text of HTML that must be well nested."""

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.text, self.attributes = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_says_the_same_and_runs_nothing(language_model):
    hostile = ["<script>alert(1)</script>", "<img/src=x/onerror=alert(2)>", "\"&'<b>"]
    hostile = [text + "x" * 60 for text in hostile] * 50
    report = inspect_text(hostile, language_model, tokenizer=str.split)
    html = report._repr_html_()
    page = Page(html)
    assert page.open == []
    assert set(page.tags) == {"div", "table", "tr", "th", "td", "ul", "li"}
    assert {name for name, _ in page.attributes} == {"style"}
    assert not re.search("url|http|#[0-9a-f]{3}|black|white;", html)
    words = "".join("".join(page.text).split())
    for line in str(report).splitlines():
        assert "".join(line.removeprefix("!").split()) in words
    assert "<script>alert(1)</script>" in words


# Errors.


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (
            "one text",
            ValueError,
            "Iterable over raw text documents expected, string object received. "
            "Wrap it in a list: [X].",
        ),
        (
            ["a", 3],
            TypeError,
            "inspect_text: row 1 of X must be a str, got int 3. Convert it with str().",
        ),
        (
            7,
            TypeError,
            "inspect_text needs an iterable of documents, got int 7. Pass a list, a "
            "Series or an array.",
        ),
        (
            pd.DataFrame({"a": ["x"], "b": ["y"]}),
            ValueError,
            "inspect_text takes one column of text, but X has 2: 'a', 'b'. Choose "
            "one, X['a'], or use ColumnTransformer([('text', inspect_text(), 'a')]).",
        ),
    ],
)
def test_documents_are_checked(X, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        inspect_text(X)


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        (
            "language_model",
            3,
            "an instance of 'str', an instance of 'os.PathLike', an instance of "
            "'skelmo.estimators.language_model.ElmoLanguageModel', an object "
            "implementing 'transform_tokens', an instance of "
            "'sklearn.frozen._frozen.FrozenEstimator' or None. Got 3 instead.",
        ),
        ("tokenizer", "x", "a callable or None. Got 'x' instead."),
        (
            "sentence_splitter",
            "x",
            "a callable, a str among {'lines'} or None. Got 'x' instead.",
        ),
        (
            "input",
            0,
            "a str among {'text', 'tokens'} or None. Got 0 instead.",
        ),
    ],
)
def test_parameters_are_checked(parameter, value, rule):
    message = f"The '{parameter}' parameter of inspect_text must be {rule}"
    options = [message, message.replace("'text', 'tokens'", "'tokens', 'text'")]
    pattern = "|".join(map(re.escape, options))
    with pytest.raises(InvalidParameterError, match=f"^({pattern})$"):
        inspect_text(["a"], **{parameter: value})


def test_frozen_estimator_must_hold_one_of_ours():
    message = (
        "The 'language_model' parameter of inspect_text must freeze an "
        "ElmoLanguageModel or an ElmoVectorizer, got "
        "FrozenEstimator(LogisticRegression). Freeze a fitted one of these."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        inspect_text(["a"], FrozenEstimator(LogisticRegression()))


@pytest.mark.parametrize("kind", [ElmoLanguageModel, ElmoVectorizer])
@pytest.mark.parametrize("wrap", [lambda given: given, FrozenEstimator])
def test_unfitted_ones_are_refused(kind, wrap):
    message = (
        f"This {kind.__name__} instance is not fitted yet. Call 'fit' with appropriate "
        f"arguments before using this estimator."
    )
    with pytest.raises(NotFittedError, match=f"^{re.escape(message)}$"):
        inspect_text(["a"], wrap(kind()))


def test_analyzer_of_the_report_is_the_default_one():
    X = ["Mr. Li left. He said: don't!"]
    sentences = Analyzer()(X[0])
    report = inspect_text(X)
    assert report.sentences.total == len(sentences)
    assert report.tokens.total == sum(map(len, sentences))
