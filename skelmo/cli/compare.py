"""`skelmo compare`: which representation is worth its cost, as a page."""

from __future__ import annotations

from typing import Any

from skelmo.cli.messages import Interrupted, is_watched, say, tell
from skelmo.cli.options import CompareOptions
from skelmo.cli.outputs import STDOUT, check_absent
from skelmo.cli.skipped_rows import SkippedRows, check_no_list
from skelmo.cli.table_files import rows_of, table_of
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
    to_stdout = str(out) == STDOUT
    check_absent(out, options.force)
    if not to_stdout:
        check_no_list(out, options.force)
    skipped = SkippedRows()
    table = table_of(options.input, options, skipped)
    texts: list[str] = []
    labels: list[Any] = []
    for rows in rows_of(
        table, [options.text, options.label], remedy="Fill it in, drop the row"
    ):
        texts += rows.values[0]
        labels += rows.values[1]
    kept = "Without --cache no result is kept."
    if options.cache is not None:
        kept = f"The same command takes what is done from {options.cache}."
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
        page = found.to_html()
        if to_stdout:
            tell(page)
        else:
            skipped.save(out)
            replace_file(out, lambda path: path.write_text(page, "utf-8"))
    except KeyboardInterrupt:
        raise Interrupted(kept) from None
    except OSError as error:
        error.add_note(kept)
        raise
    if to_stdout:
        say(found.summary())
        skipped.report()
        return
    tell(f"{found.summary()}\n{out}: the page\n")
    skipped.report(out)


def _representations(options: CompareOptions) -> Any:
    """Return what to compare; a model of the user's joins what there is."""
    names = options.representations
    if options.model is None:
        return names
    if names is None:
        names = list(choose(None, options.seed, "compare").transformers)
    own = ElmoVectorizer(language_model=options.model)
    return {**{name: name for name in names}, f"elmo-{options.model}": own}
