"""What the evaluation is to show, and whether it does: differences and their errors."""

from typing import NamedTuple

import numpy as np
from quality_data import TITLES
from quality_learn import accuracy, difference, right

FOUR = ("mr", "sst2", "sst5", "trec")
ELMO, TFIDF, UNION = "ELMo", "TF-IDF", "ELMo + TF-IDF"


class Finding(NamedTuple):
    """One comparison: the gain of ours over theirs, in points, and its error."""

    claim: str
    where: str
    gain: float
    error: float

    @property
    def verdict(self):
        """Return whether the claim holds, and whether that may be chance."""
        noise = "" if abs(self.gain) > 2 * self.error else ", within two errors"
        return ("yes" if self.gain > 0 else "no") + noise


def findings(results):
    """Return all comparisons that can be made of what was measured."""
    made = (all_labels, few_labels, unions, misspellings, senses, tags)
    return [finding for make in made for finding in make(results)]


def all_labels(results):
    kinds = results["about"]["static_sides"]
    for task in FOUR:
        sides = results["classify"].get(task, {})
        rivals = [name for name in sides if name in kinds]
        if ELMO not in sides or not rivals:
            continue
        best = max(rivals, key=lambda name: accuracy(sides[name]["hits"])[0])
        yield Finding(
            "frozen ELMo features beat means of static vectors, all labels",
            f"{TITLES[task]}, best of them: {best}",
            *points(difference(sides[ELMO]["hits"], sides[best]["hits"])),
        )


def few_labels(results):
    for task in FOUR:
        sides = results["few"].get(task, {})
        for n in ("100", "300"):
            if not {ELMO, TFIDF} <= sides.keys() or n not in sides[ELMO]["hits"]:
                continue
            ours, theirs = (sides[s]["hits"][n] for s in (ELMO, TFIDF))
            yield Finding(
                "ELMo beats TF-IDF with few labels",
                f"{TITLES[task]}, {n} labels",
                *points(by_draw(ours, theirs)),
            )


def unions(results):
    for task in FOUR:
        sides = results["classify"].get(task, {})
        if {UNION, TFIDF} <= sides.keys():
            gain = difference(sides[UNION]["hits"], sides[TFIDF]["hits"])
            yield Finding(
                "ELMo with TF-IDF beats TF-IDF alone, all labels",
                TITLES[task],
                *points(gain),
            )


def misspellings(results):
    rivals = [*results["about"]["static_sides"], TFIDF]
    for task, sides in results["misspellings"].items():
        if ELMO not in sides:
            continue
        for name in filter(sides.get, rivals):
            for rate in list(sides[ELMO]["hits"])[1:]:
                gain = less_lost(sides[ELMO]["hits"], sides[name]["hits"], rate)
                yield Finding(
                    "ELMo loses less to misspellings",
                    f"{TITLES[task]}, {float(rate):.0%} of words, than {name}",
                    *points(gain),
                )


def senses(results):
    words = (results["senses"] or {}).get("words", {})
    for method in ("nearest", "probe"):
        pairs = [_top_and_lower(found[method]) for found in words.values()]
        if pairs:
            gains = np.array([difference(top, lower) for top, lower in pairs])
            error = np.sqrt(np.sum(gains[:, 1] ** 2)) / len(gains)
            yield Finding(
                "the top layer tells senses better than layer 1",
                f"mean of {len(pairs)} words, {METHODS[method]}",
                *points((gains[:, 0].mean(), error)),
            )


def tags(results):
    if results["tags"]:
        top, lower = _top_and_lower(results["tags"]["hits"])
        yield Finding(
            "layer 1 tells parts of speech better than the top layer",
            "EWT, universal tags",
            *points(difference(lower, top)),
        )


def by_size(results, task):
    """Return the hits of few labels by side and number, with those of all labels."""
    found = {}
    for name, result in results["few"].get(task, {}).items():
        found[name] = {int(n): draws for n, draws in result["hits"].items()}
        whole = results["classify"].get(task, {}).get(name)
        if whole:
            found[name][whole["n_train"]] = whole["hits"][:1]
    return found


METHODS = {"nearest": "nearest neighbour", "probe": "linear probe"}


def _top_and_lower(by_name):
    layers = [name for name in by_name if name.startswith("ELMo layer")]
    return by_name[layers[-1]], by_name[layers[1]]


def points(gain):
    """Return a gain and its error in percentage points."""
    return 100 * gain[0], 100 * gain[1]


def by_draw(ours, theirs):
    """Return the mean gain over draws, and its error."""
    gains = [difference([a], [b])[0] for a, b in zip(ours, theirs, strict=True)]
    if len(gains) == 1:
        return difference(ours, theirs)
    return float(np.mean(gains)), float(np.std(gains, ddof=1) / len(gains) ** 0.5)


def lost(hits, rate):
    """Return, for each text, how much is lost by misspelling: means over draws."""
    clean = right(hits["0.0"]).astype(float)
    return clean - np.mean([right([draw]) for draw in hits[rate]], axis=0)


def less_lost(ours, theirs, rate):
    """Return how much less we lose than they do, and its error over texts."""
    gain = lost(theirs, rate) - lost(ours, rate)
    return float(gain.mean()), float(gain.std(ddof=1) / len(gain) ** 0.5)
