"""Real texts, and strange ones made of them, each a function of a seed and a number."""

import lzma
import random
import unicodedata

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from machine import SHARED

DELICATE = (
    "aAzZnNtTsSi'’`\"-.,:;!?/\\@#$%&()[]<>=_~*^|+ \t\n\r\0\x1c\x8501\u0301\u200d\ufe0f"
    "\u20e3👍🏽👩🇩🇪我々あカー。」「한ि्\u200c\xad\ufeff\u202e\xa0\u3000\ud800\udfff"
    "׳״צ…—٣٫ß€İ\u2028"
)
UNITS = ["a.", "a. ", ". A", "a-", "a'", "a@", "http://(", "<br ", "n't", '."', "A. "]
UNITS += ["\n", "\u0301", "🇩", "\u200d👩", "我", "&#x1", "1,", "(:", "...", "x" * 50]
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=())),  # lone surrogates among them
    st.text(DELICATE),
    st.lists(st.sampled_from(UNITS) | st.text(max_size=5)).map("".join),
)


def real_texts(limit=20_000):
    """Return lines of the shared data sets, or else of those that come with skelmo."""
    paths = sorted((SHARED / "data").glob("*/*")) if SHARED.is_dir() else []
    texts = []
    for path in paths:
        opened = lzma.open if path.suffix == ".xz" else open
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            texts += [line[:400] for _, line in zip(range(1500), file, strict=False)]
    if not texts:
        from skelmo.datasets import load_docstrings, load_reviews

        texts = [*load_docstrings().data, *load_reviews().data]
    random.Random(0).shuffle(texts)
    return [text[:400] for text in texts[:limit]]


def strange_text(rng, texts):
    """Return a text that `rng` draws: real, mutated, or made of nothing real."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(texts)
    if kind < 0.75:
        text = rng.choice(texts)
        for _ in range(rng.choice((1, 1, 2, 5))):
            text = rng.choice(MUTATIONS)(rng, text, texts)
        return text
    if kind < 0.95:
        length = rng.choice((0, 1, 2, 5, 12, 40))
        return "".join(_character(rng) for _ in range(length))
    return rng.choice(UNITS) * rng.choice((1, 3, 40, 200))


def strange_texts(seed, numbers, texts):
    """Return the texts of some numbers."""
    return [strange_text(random.Random(f"{seed}-{k}"), texts) for k in numbers]


def drawn_texts(seed, count):
    """Return as many texts as asked for, or all there are, that hypothesis draws."""
    drawn = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        database=None, deadline=None, max_examples=count, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(TEXTS)
    def draw(text):
        drawn.append(text)

    draw()
    return drawn


def _character(rng):
    if rng.random() < 0.85:
        return rng.choice(DELICATE)
    return chr(rng.randrange(0x110000 if rng.random() < 0.5 else 0x3000))


def _drop(rng, text, texts):
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice((1, 1, 3, 30)) :]


def _insert(rng, text, texts):
    start = rng.randrange(len(text) + 1)
    return text[:start] + _character(rng) * rng.choice((1, 1, 1, 7)) + text[start:]


def _swap(rng, text, texts):
    start = rng.randrange(len(text) + 1)
    middle, end = start + rng.choice((1, 5)), start + rng.choice((2, 10))
    return text[:start] + text[middle:end] + text[start:middle] + text[end:]


def _double(rng, text, texts):
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start : start + 8] * rng.choice((2, 5)) + text[start:]


def _splice(rng, text, texts):
    other = rng.choice(texts)
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def _spell(rng, text, texts):
    changes = (str.upper, str.lower, str.title, str.swapcase)
    return rng.choice(changes)(text)


def _normalize(rng, text, texts):
    return unicodedata.normalize(rng.choice(("NFC", "NFD", "NFKC", "NFKD")), text)


def _bytes(rng, text, texts):
    """Return what a wrong encoding or a damaged byte makes of a text."""
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    if content and rng.random() < 0.5:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        handler = rng.choice(("replace", "surrogateescape", "ignore"))
        return content.decode("utf-8", handler)
    return content.decode(rng.choice(("latin-1", "cp437")))


MUTATIONS = [
    _drop, _insert, _swap, _double, _splice, _spell, _normalize, _bytes,
]  # fmt: skip
