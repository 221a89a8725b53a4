"""Quality of a language model, beside static word vectors and TF-IDF.

    python benchmarks/quality.py --shared DIR --model DIR --scratch DIR \\
        --static word2vec-128.bin word2vec-256.bin glove-256.bin \\
        --write docs/evaluation.md

Each measurement is a JSON file in `--scratch`, made once for the same language model,
vectors and settings, so that a run can be taken up, divided (`--only`) and its page
written again at no cost. The page holds whatever is there. What static vectors are
called is the name of their file; what stands before the first "-" is their kind.
"""

import argparse
from pathlib import Path

from machine import SHARED
from quality_chinese import bundled_sides, chinese_sides
from quality_claims import FOUR
from quality_data import load
from quality_measures import classify, few_labels, misspellings, variant
from quality_page import write_page
from quality_sides import Elmo, MiniLM, Static, Tfidf, Union
from quality_store import Store
from quality_tokens import senses, tags

MISSPELT = ("mr", "sst2", "trec")
TRIED = ("mr", "sst2", "trec")
PARTS = (
    *FOUR, "few-labels", "misspellings", "variants", "senses", "tags", "imdb",
    "chinese",
)  # fmt: skip
LETTERS = {"analyzer": "char_wb", "ngram_range": (2, 4)}


def main():
    """Measure what is asked for, and write the page."""
    options = parse()
    store = Store(options.scratch / "results", options.only)
    results = Evaluation(options, store).results()
    text = write_page(results, options.write)
    if options.write is None:
        print(text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--shared", type=Path, default=SHARED, help="directory with data/")
    add("--model", required=True, help="directory or name of a language model")
    add("--static", type=Path, nargs="*", default=[], help="files of word vectors")
    add("--minilm", type=Path, help="Python of an environment that has MiniLM")
    add("--scratch", type=Path, required=True, help="directory for what was measured")
    add("--only", nargs="*", choices=PARTS, default=PARTS, help="what to measure")
    add("--tokenizer", choices=["split"], help="cut at spaces; else the model's own")
    add("--quick", action="store_true", help="a try with few texts")
    add("--write", type=Path, help="file of the page; else it is printed")
    return parser.parse_args()


def command_line(options):
    """Return the command without the places of files, which tell nobody anything."""
    words = ["python benchmarks/quality.py --shared DIR --scratch DIR --model"]
    words += [Path(options.model).name, "--static", *(p.name for p in options.static)]
    if options.tokenizer:
        words += ["--tokenizer", options.tokenizer]
    words += ["--minilm", "PYTHON"] * bool(options.minilm)
    words += ["--quick"] * options.quick
    return " ".join(words)


class Evaluation:
    """What is compared on what.

    Parameters
    ----------
    options : argparse.Namespace
    store : Store
    """

    def __init__(self, options, store):
        self.options, self.store = options, store
        tokenizer = str.split if options.tokenizer == "split" else None
        self.elmo = Elmo(options.model, options.scratch / "cache", tokenizer)
        kept = options.scratch / "static"
        kept.mkdir(parents=True, exist_ok=True)
        self.static_sides = [
            Static(p, self.elmo.tokenize, kept) for p in options.static
        ]
        self.minilm = [MiniLM(options.minilm, kept)] if options.minilm else []
        self.tfidf = Tfidf()
        self.union = Union(self.elmo, self.tfidf)
        self.size = self.elmo.model.config_.n_features
        self.tasks = {}

    def results(self):
        """Return all measurements that are there, by part."""
        return {
            "about": self.about(),
            "classify": {task: self.compare(task) for task in (*FOUR, "imdb")}
            | {"chinese": self.chinese()},
            "few": {
                task: self.of(few_labels, "few-labels", task, self.small_sides())
                for task in FOUR
            }
            | {"chinese": self.few_chinese()},
            "misspellings": {
                task: self.of(misspellings, "misspellings", task, self.misspelt_sides())
                for task in MISSPELT
            },
            "variants": {task: self.variants(task) for task in TRIED},
            "senses": self.tokens(senses, "senses"),
            "tags": self.tokens(tags, "tags"),
        }

    def about(self):
        """Return what the page says of the language model and the vectors."""
        config = self.elmo.model.config_
        return {
            "command": command_line(self.options),
            "model": Path(self.options.model).name,
            "hidden_size": config.hidden_size,
            "proj_size": config.proj_size,
            "n_layers": config.n_layers,
            "layers": self.elmo.layers,
            "pooling": self.elmo.pooling,
            "static_sides": {side.name: side.kind for side in self.static_sides},
            "quick": self.options.quick,
        }

    def task(self, name):
        """Return a data set, read once."""
        if name not in self.tasks:
            self.tasks[name] = load(name, self.options.shared, self.options.quick)
        return self.tasks[name]

    def of(self, measure, part, task, sides):
        """Return a measurement of each side, by name, where there is one."""
        data = self.task(task)
        found = {side.name: measure(self.store, part, data, side) for side in sides}
        return {name: result for name, result in found.items() if result}

    def compare(self, task):
        """Return hits with all labels."""
        sides = [*self.static_sides, *self.minilm, self.elmo, self.tfidf, self.union]
        return self.of(classify, task, task, sides)

    def chinese(self):
        """Return hits of "zh", and of a language model of the reviews themselves."""
        task, options = self.task("chinese"), self.options
        train = "chinese" in self.store.parts
        sides = chinese_sides(task, options.scratch, options.quick, train)
        return self.of(classify, "chinese", "chinese", sides)

    def few_chinese(self):
        """Return hits of "zh" with few labels."""
        sides = bundled_sides(self.options.scratch)
        return self.of(few_labels, "chinese", "chinese", sides)

    def variants(self, task):
        """Return hits of choices of layers and pooling."""
        n_layers = self.elmo.model.config_.n_layers
        tried = [
            (layers, ("mean", "std"))
            for layers in (*range(n_layers), "mean", "learned", "concat")
        ]
        others = ("mean", ("mean", "max"), ("mean", "std", "max"))
        tried += [("concat", pooling) for pooling in others]
        sides = [self.elmo.variant(*settings) for settings in tried]
        return self.of(variant, "variants", task, sides)

    def tokens(self, measure, part):
        """Return hits on tokens."""
        options = self.options
        static = self.same_size()
        return measure(
            self.store, part, options.shared, self.elmo, static, options.quick
        )

    def same_size(self):
        """Return the static vectors of each kind next in size to those of ELMo."""
        best = {}
        for side in sorted(
            self.static_sides, key=lambda side: abs(side.dim - self.size)
        ):
            best.setdefault(side.kind, side)
        return list(best.values())

    def small_sides(self):
        """Return what is compared on few labels."""
        return [*self.same_size(), *self.minilm, self.elmo, self.tfidf, self.union]

    def misspelt_sides(self):
        """Return what is compared on misspelt texts."""
        letters = Tfidf("TF-IDF of letters", **LETTERS)
        static = self.same_size()
        references = [self.elmo.by_characters(), static[0].by_nearest(), letters]
        return [*static, self.elmo, self.tfidf, *references]


if __name__ == "__main__":
    main()
