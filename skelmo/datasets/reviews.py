"""Short product reviews that come with the library."""

import csv
from importlib.resources import files

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from skelmo.datasets._output import OUTPUT_CONSTRAINTS, convert


@validate_params(OUTPUT_CONSTRAINTS, prefer_skip_nested_validation=True)
def load_reviews(*, return_X_y=False, as_frame=False):
    """Load 400 short product reviews, written for the examples.

    Nobody bought these products: the reviews were made up, not collected. They show
    how a pipeline is built. An accuracy on them says nothing of real reviews.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return the data and the target as pandas objects.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With `data` (list of 400 str, one line each), `target` (int64 ndarray of shape
        (400,): 0 negative, 1 positive), `target_names`, `categories` (list of
        str), `prices` and `stars` (ndarrays of shape (400,)), `DESCR` and `frame`
        (None; with ``as_frame=True`` the columns "text", "category", "price", "stars"
        and "label", of which the first and the last are `data` and `target` too).
    (data, target) : tuple
        With ``return_X_y=True``.

    Notes
    -----
    25 positive reviews (4 or 5 stars) and 25 negative ones (1 or 2) for each of eight
    categories, in mixed order, by the licence of the library. About half of them say
    it in the usual words, the others by irony, understatement or a little story; a
    few have misspellings. The price, in euros, tells nothing of the label. The stars
    do: leave them out of what a classifier sees.

    Examples
    --------
    >>> from skelmo.datasets import load_reviews
    >>> reviews = load_reviews(as_frame=True)
    >>> reviews.frame["category"].nunique()
    8
    >>> reviews.frame.groupby("label")["stars"].max().tolist()
    [2, 5]
    """
    lines = (files("skelmo.datasets") / "reviews.tsv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    columns = {
        "category": [row["category"] for row in rows],
        "price": np.array([float(row["price"]) for row in rows]),
        "stars": np.array([int(row["stars"]) for row in rows], dtype=np.int64),
    }
    target = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    negative, positive = np.bincount(target)
    bunch = Bunch(
        data=[row["text"] for row in rows],
        target=target,
        target_names=["negative", "positive"],
        categories=columns["category"],
        prices=columns["price"],
        stars=columns["stars"],
        frame=None,
        DESCR="Product reviews written for the examples of skelmo, not collected.\n"
        f"Documents: negative: {negative}, positive: {positive}.\n",
    )
    return convert(bunch, return_X_y, as_frame, columns)
