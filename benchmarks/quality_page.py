"""The evaluation as a page in Markdown, from what was measured."""

import platform
from itertools import groupby
from textwrap import fill

import numpy as np
import sklearn
from machine import description, markdown
from quality_chinese import CHINESE_ELMO, CHINESE_TFIDF, MODEL
from quality_claims import (
    ELMO,
    FOUR,
    METHODS,
    MINILM,
    TFIDF,
    by_size,
    findings,
    lost,
    points,
)  # fmt: skip
from quality_data import N_IMDB, TITLES
from quality_figures import draw_few_labels, draw_misspellings
from quality_learn import (
    DENSE_CS,
    INNER_FOLDS,
    PATIENCE,
    SPARSE_CS,
    UNION_CS,
    WEIGHTS,
    accuracy,
    difference,
    hits,
    right,
)  # fmt: skip
from quality_measures import N_DRAWS, N_MISSPELT, VARIANT_FOLDS
from quality_store import write_atomically
from quality_tokens import MOST_SENTENCES, PROBE_CS, SENSE_FOLDS, TAG_TOKENS, WINDOW


def write_page(results, path=None):
    """Return the page; write it, and its figures beside it, if a path is given."""
    sections = [
        introduction, all_labels, few_labels, chinese, misspellings, senses, tags,
        variants, claims, protocol,
    ]  # fmt: skip
    text = "\n\n".join(filter(None, (make(results, path) for make in sections))) + "\n"
    if path is not None:
        write_atomically(path, text.encode())
    return text


def percent(mean, deviation=None):
    """Return a share in percent, with its deviation."""
    text = f"{100 * mean:.1f}"
    return text if deviation is None else f"{text} ± {100 * deviation:.1f}"


def bold_best(values, texts):
    """Return the texts, that of the largest value in bold; None is no value."""
    known = [value for value in values if value is not None]
    return [
        f"**{text}**" if value is not None and value == max(known) else text
        for value, text in zip(values, texts, strict=True)
    ]


def table(corner, columns, names, cell):
    """Return a table whose best cell of each column is bold.

    `cell(name, column)` returns a number to compare and a text, or None.
    """
    by_column = []
    for column in columns:
        cells = [cell(name, column) or (None, "-") for name in names]
        by_column.append(bold_best(*zip(*cells, strict=True)))
    rows = [
        [name, *row]
        for name, row in zip(names, zip(*by_column, strict=True), strict=True)
    ]
    return markdown([corner, *columns], rows)


def names_of(by_task):
    """Return the names of all sides, in the order in which they come."""
    return list(dict.fromkeys(name for sides in by_task.values() for name in sides))


def prose(text, indent=""):
    """Return a paragraph as lines of the length of the other pages."""
    return fill(
        " ".join(text.split()), 90, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def section(title, *parts):
    """Return a heading and what stands below it."""
    return "\n\n".join([f"## {title}", *parts])


def introduction(results, _):
    about = results["about"]
    quick = ()
    if about["quick"]:
        quick = ("**A try with few texts (`--quick`): its numbers say nothing.**",)
    about = prose(f"""
        Written by `{about["command"]}`; nothing in it is typed by hand. The language
        model is `{about["model"]}`, {about["hidden_size"]} cells and a projection to
        {about["proj_size"]} in each direction. "ELMo" stands for the features of
        `ElmoVectorizer` at its default settings (`layers={about["layers"]!r}`,
        `pooling={about["pooling"]!r}`), frozen, before logistic regression. The last
        section says how all of it was measured. Accuracies are in percent; the best of
        a column is in bold, whether or not it stands out from the error given behind
        the sign ±.""")
    return "\n\n".join(["# Evaluation", about, *quick])


def claims(results, _):
    found = findings(results)
    if not found:
        return None
    good = sum(finding.gain > 0 for finding in found)
    sure = sum(finding.verdict == "yes" for finding in found)
    lines = [
        prose(f"""
        {good} of {len(found)} comparisons came out as expected, {sure} of them by more
        than two standard errors. Gains are in percentage points, over the same texts.
        A number of labels is a comparison of its own; misspellings are one for each
        rival, the mean of all rates.""")
    ]
    for claim, group in groupby(found, key=lambda finding: finding.claim):
        group = list(group)
        held = sum(finding.gain > 0 for finding in group)
        rows = [[f.where, f"{f.gain:+.1f} ± {f.error:.1f}", f.verdict] for f in group]
        lines.append(f"{claim[0].upper()}{claim[1:]}: {held} of {len(group)}.")
        lines.append(markdown(["where", "gain", "held"], rows))
    return section("What held and what did not", *lines)


def all_labels(results, _):
    tasks = {
        TITLES[task]: sides
        for task, sides in results["classify"].items()
        if sides and task != "chinese"
    }
    if not tasks:
        return None

    def cell(name, title):
        side = tasks[title].get(name)
        return side and _cell(side["hits"])

    text = prose(f"""
        MR by 10 folds, with the standard deviation of the folds; the others on their
        own test set, with the standard error of a share. IMDB stands for {N_IMDB:,}
        random reviews to train and as many to test.""")
    shown = table("", tasks, names_of(tasks), cell)
    return section("All labels", *losses(tasks), text, shown)


def losses(tasks, side=ELMO, rivals=(TFIDF, MINILM)):
    """Return where something simpler is better than ELMo alone, as a paragraph."""
    found = []
    for title, sides in tasks.items():
        ours = sides.get(side)
        for name in rivals:
            if ours and name in sides:
                gain, error = points(difference(sides[name]["hits"], ours["hits"]))
                if gain > 0:
                    found.append(f"{title} to {name} by {gain:.1f} ± {error:.1f}")
    if not found:
        return []
    text = f"The losses first. {side} alone loses {_joined(found)} points."
    return [prose(text)]


def _joined(parts):
    """Return parts of a sentence with commas, and "and" before the last."""
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def _cell(hits):
    mean, deviation = accuracy(hits)
    return mean, percent(mean, deviation)


def few_labels(results, path):
    few = {task: by_size(results, task) for task in FOUR}
    few = {task: sides for task, sides in few.items() if sides}
    if not few:
        return None
    lines = [
        prose(f"""
        Mean and standard deviation of {N_DRAWS} stratified draws of so many training
        texts, the same draws for all, and in the last column all training texts, with
        the standard error of a share. MR is its first fold. Static vectors are those
        next in size to the layers of ELMo.""")
    ]
    if path is not None:
        figure = path.with_name(f"{path.stem}-few-labels.png")
        draw_few_labels(results, figure)
        lines.append(f"![accuracy by the number of labels]({figure.name})")
    for task, sides in few.items():
        sizes = {f"{n:,}": n for hits in sides.values() for n in hits}

        def cell(name, n, sides=sides, sizes=sizes):
            hits = sides[name].get(sizes[n])
            return hits and _cell(hits)

        lines.append(f"{TITLES[task]}, by the number of labels:")
        lines.append(table("", sizes, list(sides), cell))
    return section("Few labels", *lines)


def misspellings(results, path):
    found = {task: sides for task, sides in results["misspellings"].items() if sides}
    if not found:
        return None
    lines = [
        prose(f"""
        Trained on clean texts. In the test texts a share of the words of two or more
        letters gets one edit each: a swap of neighbours, a letter deleted, inserted or
        put in place of another. Means of {N_MISSPELT} draws; the loss is in percentage
        points against the clean texts, in bold where it is least. Words that are not in
        its vocabulary ElmoVectorizer reads as the most frequent word one edit away. The
        last three rows are no rivals: they say what ELMo's characters do without that,
        what it does for static vectors, and what letters do for TF-IDF, the cheapest
        remedy.""")
    ]
    if path is not None:
        figure = path.with_name(f"{path.stem}-misspellings.png")
        draw_misspellings(results, figure)
        lines.append(f"![loss by the share of misspelt words]({figure.name})")
    for task, sides in found.items():
        lines += [f"{TITLES[task]}, by the share of misspelt words:", _misspelt(sides)]
    return section("Misspellings", *lines)


def _misspelt(sides):
    rates = list(next(iter(sides.values()))["hits"])
    heads = {"clean": rates[0]} | {f"{float(r):.0%}": r for r in rates[1:]}
    losses = {f"loss at {head}": rate for head, rate in list(heads.items())[1:]}

    def cell(name, column):
        hits = sides[name]["hits"]
        if column in heads:
            mean, deviation = accuracy(hits[heads[column]])
            return mean, percent(mean, None if column == "clean" else deviation)
        loss = lost(hits, losses[column]).mean()
        return -loss, percent(loss)

    return table("", [*heads, *losses], list(sides), cell)


def senses(results, _):
    if not results["senses"]:
        return None
    words = results["senses"]["words"]
    some = next(iter(words.values()))
    n = ", ".join(f"{word} {found['n']:,}" for word, found in words.items())
    lines = [
        prose(f"""
        Senseval: the vector of the word in its sentence, {SENSE_FOLDS} stratified folds
        ({n} sentences, random ones, at most {MOST_SENTENCES:,} of a word). A static
        vector of the word itself is the same in every sentence and can but guess the
        most frequent sense; beside it stands the mean of the static vectors of {WINDOW}
        words to either side. The last column is the mean of the words.""")
    ]
    for method, title in METHODS.items():
        names = ["static vector of the word", *some[method]]

        def mean(name, word, method=method):
            hits = words[word][method].get(name)
            return accuracy(hits)[0] if hits else words[word]["majority"]

        def cell(name, column, mean=mean):
            chosen = list(words) if column == "mean" else [column]
            value = np.mean([mean(name, word) for word in chosen])
            return value, percent(value)

        lines += [f"By {title}:", table("", [*words, "mean"], names, cell)]
    return section("Senses of words in context", *lines)


def tags(results, _):
    found = results["tags"]
    if not found:
        return None
    unseen = right([found["unseen"]])
    chosen = {"all": np.ones_like(unseen), "seen": ~unseen, "unseen": unseen}

    def cell(name, column):
        good = right(found["hits"][name])[chosen[column]]
        return _cell([hits(good, True)])

    text = prose(f"""
        Universal tags of English EWT by a linear probe of each token's vector, with the
        standard error of a share: {found["n_train"]:,} training tokens, of random
        sentences, and all {len(unseen):,} of the test, of which {unseen.mean():.1%} do
        not occur in the training tokens, in lower case ("unseen").""")
    shown = table("", list(chosen), list(found["hits"]), cell)
    return section("Parts of speech", text, shown)


def variants(results, _):
    found = {TITLES[t]: sides for t, sides in results["variants"].items() if sides}
    if not found:
        return None
    about = results["about"]

    def cell(name, column):
        sides = [side[name] for side in found.values() if name in side]
        if column == "features":
            return None, str(sides[0]["n_features"])
        if column == "mean":
            mean = np.mean([accuracy(side["hits"])[0] for side in sides])
            return mean, percent(mean)
        side = found[column].get(name)
        return side and _cell(side["hits"])

    text = prose(f"""
        Each choice by {VARIANT_FOLDS} folds of the training texts (all of MR), so that
        test sets have no part in what is made the default, now
        `layers={about["layers"]!r}` and `pooling={about["pooling"]!r}`.""")
    shown = table("", ["features", *found, "mean"], names_of(found), cell)
    return section("Layers and pooling", text, shown)


def chinese(results, _):
    sides = results["classify"].get("chinese")
    if not sides:
        return None
    few = by_size(results, "chinese")
    sizes = {f"{n:,}": n for hits in few.values() for n in hits}

    def cell(name, column):
        if column == "all":
            return _cell(sides[name]["hits"])
        hits = few.get(name, {}).get(sizes[column])
        return hits and _cell(hits)

    task = next(iter(sides.values()))
    n_train, n_test = task["n_train"], len(task["hits"][0])
    small = [size for size, n in sizes.items() if n != n_train]
    text = prose(f"""
        Hotel reviews (ChnSentiCorp), one of 5 folds to test ({n_test:,} reviews; the
        one empty review left out), by the number of labels: {N_DRAWS} draws of so many,
        the same for all, and all {n_train:,} with the standard error of a share. "zh"
        is the Chinese model of the package, which has read no hotel reviews; "of these
        reviews" are a language model ({MODEL["max_epochs"]} epochs) and word vectors
        trained on the other four folds' text. Each ideograph is a token; TF-IDF is of
        one to three characters.""")
    lost_first = losses({"with all labels": sides}, CHINESE_ELMO, [CHINESE_TFIDF])
    shown = table("", [*small, "all"], list(sides), cell)
    return section("Chinese", *lost_first, text, shown)


def protocol(results, _):
    found = [results[part] for part in ("senses", "tags") if results[part]]
    for part in ("classify", "few", "misspellings", "variants"):
        found += [r for sides in results[part].values() for r in sides.values()]
    minutes = sum(result["seconds"] for result in found) / 60
    points = [
        f"""Classifier: scikit-learn's logistic regression (L-BFGS, at most 500 steps).
        C is chosen by {INNER_FOLDS} stratified folds of the training texts, on every
        side alike, upwards until {PATIENCE} values in a row are worse than the best: of
        dense features, at mean 0 and variance 1 of the training texts,
        among {_listed(DENSE_CS)}; of TF-IDF among {_listed(SPARSE_CS)}; of token
        vectors among {_listed(PROBE_CS)}, for tags by the development part.""",
        """TF-IDF: words and pairs of them as cut at spaces, logarithmic counts; of
        letters: 2 to 4 of them within words.""",
        """Static vectors: the mean of the vectors of a text's lower-cased tokens, cut
        as for the language model; words without a vector are left out.""",
        """MiniLM: all-MiniLM-L6-v2, frozen, the mean of the vectors of at most 256 word
        pieces (`benchmarks/quality_minilm.py`), then as for ELMo.""",
        f"""ELMo + TF-IDF: both side by side, dense rows brought to a norm of about
        {_listed(WEIGHTS)} beside rows of norm 1, and C among {_listed(UNION_CS)}; the
        two are chosen together.""",
        """Of SST, TREC and IMDB the training part trains and the test part tests;
        development parts are not used. Texts of SST are whole sentences.""",
        """Pooling by mean and standard deviation, and the reading of unknown words as
        the nearest, were first tried on tests of MR, SST and TREC: what these show of
        them is a little too good. IMDB was not looked at.""",
        """Errors of a gain are of paired differences: over the texts, of few labels
        over the draws. They leave out what other training texts would change.""",
        f"""Tags: about {TAG_TOKENS:,} training tokens. Seeds count from 0.""",
        f"""{description()}, scikit-learn {sklearn.__version__}, Python
        {platform.python_version()}, {platform.system()} {platform.machine()};
        {minutes:.0f} minutes in all, without the training of what is compared.""",
    ]
    lines = [prose(f"- {point}", "  ") for point in points]
    return section("How it was measured", "\n".join(lines))


def _listed(values):
    return ", ".join(f"{value:g}" for value in values)
