"""The representations that can be compared, by name, and why one cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.estimators.classifier import ElmoClassifier
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.estimators.vectorizer import ElmoVectorizer

ENGLISH = "en"
ENGLISH_LAYERS = 3  # known without reading it: its time belongs to its own fit
BASELINE = "tfidf"
_LAYER = "elmo-layer-"
_TUNED = "elmo-tuned"


class Unavailable(Exception):
    """Says why a representation is left out."""


class Chosen(NamedTuple):
    """Representations to compare, and those that cannot run."""

    transformers: dict[str, Any]
    skipped: dict[str, str]  # name: reason


def choose(given: Any, seed: int, owner: str) -> Chosen:
    """Turn what a user gives into transformers.

    Parameters
    ----------
    given : None, iterable of str or mapping of str to transformer or str
        None is all that there are but what is tuned, which takes the longest.
    seed : int
    owner : str
        The function that asks, for the messages.

    Returns
    -------
    chosen : Chosen

    Raises
    ------
    ValueError
        If a name is not known, or nothing is left.
    TypeError
        If a value is no transformer.
    """
    makers = _makers(seed)
    if given is None:
        given = [name for name in makers if name != _TUNED]
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping):
        given = {name: name for name in _names(given, owner)}
    transformers, skipped = {}, {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise TypeError(
                f"{owner}: the name of a representation must be a str, got "
                f"{type(name).__name__} {repr(name)[:40]}. Give it a name."
            )
        try:
            transformers[name] = _made(name, value, makers, owner)
        except Unavailable as reason:
            skipped[name] = str(reason)
    if not transformers:
        reasons = "".join(f"\n- {name} {skipped[name]}" for name in skipped)
        raise ValueError(
            f"{owner} has no representation to compare. Give at least one, such as "
            f"'tfidf'.{reasons}"
        )
    return Chosen(transformers, skipped)


def baseline_among(transformers: Mapping[str, Any]) -> str | None:
    """Return the name of TF-IDF, which the others are compared with.

    Parameters
    ----------
    transformers : mapping of str to transformer

    Returns
    -------
    name : str or None
        None if it is not among them.
    """
    found = [
        name for name, value in transformers.items()
        if isinstance(value, TfidfVectorizer)
    ]  # fmt: skip
    return BASELINE if BASELINE in found else next(iter(found), None)


def _names(given: Iterable[Any], owner: str) -> list[str]:
    names = list(given)
    doubled = [name for k, name in enumerate(names) if name in names[:k]]
    if doubled:
        raise ValueError(
            f"{owner}: representation {doubled[0]!r} is given twice. Leave one out, or "
            f"give a dict to compare it under two names."
        )
    return names


def _made(
    name: str, value: Any, makers: Mapping[str, Callable[[], Any]], owner: str
) -> Any:
    if isinstance(value, str):
        if value not in makers:
            known = ", ".join(map(repr, makers))
            raise ValueError(
                f"{owner}: no representation {value[:40]!r}. Choose among {known}, or "
                f"give a dict of names and transformers."
            )
        return makers[value]()
    is_class = isinstance(value, type)
    if is_class or not (hasattr(value, "fit") and hasattr(value, "transform")):
        shown = value.__name__ if is_class else f"{type(value).__name__} {value!r}"[:40]
        raise TypeError(
            f"{owner}: representation {name!r} must be a transformer or the name of a "
            f"built-in one, got {'the class ' * is_class}{shown}. Give an object with "
            f"fit and transform."
        )
    return value


def _makers(seed: int) -> dict[str, Callable[[], Any]]:
    """Return what makes each built-in representation, or raises Unavailable."""

    def elmo(**settings: Any) -> Any:
        return ElmoVectorizer(language_model=ENGLISH, **settings)

    def own() -> Any:
        # A model remembered from an earlier call would seem to train in no time.
        model = ElmoLanguageModel(random_state=seed)
        return ElmoVectorizer(language_model=model, cache=None)

    def union() -> Any:
        return FeatureUnion([("elmo", elmo()), ("tfidf", _tfidf())])

    return {
        BASELINE: _tfidf,
        "word2vec": lambda: _word2vec(seed),
        "glove": lambda: GloveVectorizer(random_state=seed),
        "elmo": elmo,
        **{f"{_LAYER}{k}": partial(elmo, layers=k) for k in range(ENGLISH_LAYERS)},
        "elmo-learned": partial(elmo, layers="learned"),
        "elmo-own": own,
        "elmo+tfidf": union,
        _TUNED: lambda: ElmoClassifier(ENGLISH, random_state=seed),
    }


def _tfidf() -> TfidfVectorizer:
    # A clause without spaces is no word: Chinese and Japanese are read by character.
    east = r"\u3040-\u30ff\u3400-\u9fff"
    pattern = rf"[{east}]|[^\W{east}]{{2,}}"
    return TfidfVectorizer(token_pattern=pattern, ngram_range=(1, 2), sublinear_tf=True)


def _word2vec(seed: int) -> Word2VecVectorizer:
    if find_spec("gensim") is None:
        raise Unavailable("needs gensim. Install it by pip install 'skelmo[baselines]'")
    return Word2VecVectorizer(random_state=seed)
