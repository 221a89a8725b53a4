"""`skelmo compare`: which representation is worth its cost, as a page."""

from __future__ import annotations

import sys
from typing import Any

from skelmo.cli.messages import Interrupted, is_watched
from skelmo.cli.options import CompareOptions
from skelmo.cli.table_files import check_texts, rows_of, table_of
from skelmo.comparison import compare
from skelmo.comparison.representations import choose
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.files import replace_file


def run(options: CompareOptions) -> None:
    """Compare representations and write the page.

    Parameters
    ----------
    options : CompareOptions
    """
    out = options.out
    if out.is_dir() or not out.parent.is_dir():
        raise FileNotFoundError(f"{out} is no file that can be written. Give another.")
    table = table_of(options.input, options.format, not options.no_header)
    texts: list[str] = []
    labels: list[Any] = []
    for rows in rows_of(table, [options.text, options.label]):
        check_texts(table, rows, "error", remedy="Drop the row.")
        texts += rows.values[0]
        labels += rows.values[1]
    try:
        found = compare(
            texts,
            labels,
            representations=_representations(options),
            classifier=options.classifier,
            cv=options.folds,
            label_counts=None if options.all_labels else "auto",
            cache=options.cache,
            random_state=options.seed,
            verbose=int(is_watched()),
        )
    except KeyboardInterrupt:
        kept = "Without --cache no result is kept."
        if options.cache is not None:
            kept = f"The same command takes what is done from {options.cache}."
        raise Interrupted(kept) from None
    page = found.to_html()
    replace_file(out, lambda path: path.write_text(page, "utf-8"))
    sys.stdout.write(f"{found.summary()}\n{out}: the page\n")


def _representations(options: CompareOptions) -> Any:
    """Return what to compare; a model of the user's joins what there is."""
    names = options.representations
    if options.model is None:
        return names
    if names is None:
        names = list(choose(None, options.seed, "compare").transformers)
    own = ElmoVectorizer(language_model=options.model)
    return {**{name: name for name in names}, f"elmo-{options.model}": own}
