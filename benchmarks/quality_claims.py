"""What the evaluation is to show, and whether it does: differences and their errors."""

from typing import NamedTuple

import numpy as np
from quality_data import TITLES
from quality_learn import accuracy, difference, right

FOUR = ("mr", "sst2", "sst5", "trec")
ELMO, TFIDF, UNION, MINILM = "ELMo", "TF-IDF", "ELMo + TF-IDF", "MiniLM"


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
    for claim, rivals in _rivals(results).items():
        for task in (*FOUR, "imdb"):
            sides = results["classify"].get(task, {})
            known = [name for name in rivals if name in sides]
            if ELMO not in sides or not known:
                continue
            best = max(known, key=lambda name: accuracy(sides[name]["hits"])[0])
            among = f", best of them: {best}" if len(known) > 1 else ""
            yield Finding(
                f"{claim} with all labels",
                f"{TITLES[task]}{among}",
                *points(difference(sides[ELMO]["hits"], sides[best]["hits"])),
            )


def few_labels(results):
    for claim, rivals in _rivals(results).items():
        for task in FOUR:
            sides = results["few"].get(task, {})
            known = [name for name in rivals if name in sides]
            if ELMO not in sides or not known:
                continue
            for n in filter(sides[ELMO]["hits"].get, ("100", "300")):
                gains = [
                    by_draw(*(sides[side]["hits"][n] for side in (ELMO, name)))
                    for name in known
                ]
                yield Finding(
                    f"{claim} with few labels",
                    f"{TITLES[task]}, {n} labels",
                    *points(min(gains)),
                )


def _rivals(results):
    """Return the claims of ELMo alone, and what it is beside in each."""
    return {
        "ELMo beats TF-IDF": [TFIDF],
        "ELMo beats frozen MiniLM": [MINILM],
        "ELMo beats means of static vectors": [*results["about"]["static_sides"]],
    }


def unions(results):
    for task in (*FOUR, "imdb"):
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
            yield Finding(
                "ELMo loses less to misspellings, mean of all rates",
                f"{TITLES[task]}, than {name}",
                *points(less_lost(sides[ELMO]["hits"], sides[name]["hits"])),
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


def less_lost(ours, theirs):
    """Return how much less we lose than they do, and its error over texts.

    It is the mean over all rates: one effect, that is not counted for each.
    """
    rates = [rate for rate in ours if rate != "0.0"]
    gain = np.mean([lost(theirs, r) - lost(ours, r) for r in rates], axis=0)
    return float(gain.mean()), float(gain.std(ddof=1) / len(gain) ** 0.5)
