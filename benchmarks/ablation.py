"""What a language model owes to each of the texts it has read.

    python benchmarks/ablation.py --shared DIR --scratch DIR "all=DIR" "no GloVe=DIR"

Models that differ in one thing, each a name and a directory as made by
`tools/train_bundled.py`, are measured as `quality.py` measures one: with all labels
(SST-2, TREC, 2,500 reviews of IMDB), with 100 labels of SST-2 (mean and standard
deviation of 10 draws), and by the nearest neighbour of a word's vector, the mean of its
layers, among its senses (mean of the words). What was measured is kept in `--scratch`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from machine import heading, markdown
from quality_data import load, load_senses
from quality_learn import accuracy
from quality_measures import classify, few_labels
from quality_page import percent
from quality_sides import Elmo
from quality_store import Store
from quality_tokens import MOST_SENTENCES, SENSE_FOLDS, told_by_nearest

ALL_LABELS = {"sst2": "SST-2", "trec": "TREC", "imdb": "IMDB"}
FEW = 100


def main():
    options = parse()
    torch.set_num_threads(1)
    store = Store(options.scratch / "results", ["ablation"])
    tasks = {name: load(name, options.shared) for name in ALL_LABELS}
    rows = []
    for given in options.models:
        name, _, directory = given.partition("=")
        side = Elmo(directory, options.scratch / "cache")
        found = [classify(store, "ablation", task, side) for task in tasks.values()]
        cells = [percent(*accuracy(result["hits"])) for result in found]
        few = few_labels(store, "ablation", tasks["sst2"], side, sizes=(FEW,))
        cells.append(percent(*accuracy(few["hits"][str(FEW)])))
        cells.append(percent(senses(store, options.shared, side)))
        rows.append([name, *cells])
    columns = [*ALL_LABELS.values(), f"SST-2, {FEW} labels", "senses"]
    print(heading(), markdown(["", *columns], rows), sep="\n\n")


def senses(store, shared, side):
    """Return the share of senses told by the nearest neighbour, the mean of words."""

    def measure():
        found = {}
        for word, data in load_senses(shared, MOST_SENTENCES).items():
            vectors = side.token_vectors(data.sentences, data.targets).mean(1)
            found[word] = told_by_nearest(vectors, data.senses)
        return {"hits": found}

    key = [MOST_SENTENCES, SENSE_FOLDS, side.key]
    found = store.get("ablation", "senses", key, measure)
    return np.mean([accuracy(folds)[0] for folds in found["hits"].values()])


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--shared", type=Path, required=True, help="directory of the data sets")
    add("--scratch", type=Path, required=True, help="directory for what was measured")
    add("models", nargs="+", metavar="NAME=DIR", help="a model and its name")
    return parser.parse_args()


if __name__ == "__main__":
    main()
