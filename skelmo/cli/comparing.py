"""`skelmo compare`: which representation is worth its cost, as a page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from skelmo.cli.messages import Interrupted, is_watched
from skelmo.cli.tables import check_texts, rows_of, table_of
from skelmo.comparison import compare
from skelmo.comparison.representations import choose
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.files import replace_file


def run(arguments: argparse.Namespace) -> None:
    """Compare representations and write the page.

    Parameters
    ----------
    arguments : argparse.Namespace
    """
    out: Path = arguments.out
    if out.is_dir() or not out.parent.is_dir():
        raise FileNotFoundError(f"{out} is no file that can be written. Give another.")
    table = table_of(arguments.input, arguments.format, not arguments.no_header)
    texts: list[str] = []
    labels: list[Any] = []
    for rows in rows_of(table, [arguments.text, arguments.label]):
        check_texts(table, rows, "error", remedy="Drop the row.")
        texts += rows.values[0]
        labels += rows.values[1]
    try:
        found = compare(
            texts,
            labels,
            representations=_representations(arguments),
            classifier=arguments.classifier,
            cv=arguments.folds,
            label_counts=None if arguments.all_labels else "auto",
            cache=arguments.cache,
            random_state=arguments.seed,
            verbose=int(is_watched()),
        )
    except KeyboardInterrupt:
        kept = "Without --cache no result is kept."
        if arguments.cache is not None:
            kept = f"The same command takes what is done from {arguments.cache}."
        raise Interrupted(kept) from None
    page = found.to_html()
    replace_file(out, lambda path: path.write_text(page, "utf-8"))
    sys.stdout.write(f"{found.summary()}\n{out}: the page\n")


def _representations(arguments: argparse.Namespace) -> Any:
    """Return what to compare; a model of the user's joins what there is."""
    names = arguments.representations
    if arguments.model is None:
        return names
    if names is None:
        names = list(choose(None, arguments.seed, "compare").transformers)
    own = ElmoVectorizer(language_model=arguments.model)
    return {**{name: name for name in names}, f"elmo-{arguments.model}": own}
