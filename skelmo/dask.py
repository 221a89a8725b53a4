"""ELMo features of the texts in Dask's tables.

Install it with ``pip install 'skelmo[dask]'``.
"""

from __future__ import annotations

try:
    from distributed import get_client
except ImportError as error:
    raise ImportError(
        "skelmo.dask needs Dask, which is not installed. Install it with: "
        "pip install skelmo[dask]"
    ) from error

from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_params

from skelmo.engines.columns import check_column
from skelmo.engines.parcel import Parcel
from skelmo.engines.row_encoder import RowEncoder
from skelmo.estimators.vectorizer import ElmoVectorizer

__all__ = ["encode"]


@validate_params(
    {
        "vectorizer": [ElmoVectorizer],
        "text": [str],
        "dtype": [StrOptions({"float32", "float16"})],
        "on_error": [StrOptions({"raise", "nan"})],
    },
    prefer_skip_nested_validation=True,
)
def encode(
    ddf: dd.DataFrame,
    vectorizer: ElmoVectorizer,
    text: str,
    *,
    dtype: str = "float32",
    on_error: str = "raise",
) -> dd.DataFrame:
    """Return the features of a column of documents.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame
    vectorizer : ElmoVectorizer
        Fitted, or in no need of that. Its cache in memory is not used. Under
        ``store_weights=False`` workers read the model from its own path.
    text : str
        Name of the column of documents.
    dtype : {"float32", "float16"}, default="float32"
        Of the features.
    on_error : {"raise", "nan"}, default="raise"
        Whether a document that raises an error fails the job, or has a row of nan and
        is logged by its worker. What a missing document is, `missing` says.

    Returns
    -------
    features : dask.dataframe.DataFrame of n_features columns
        With the index and the partitions of `ddf`, to which ``dd.concat([ddf,
        features], axis=1)`` adds them; columns are named as by
        `get_feature_names_out`.

    Examples
    --------
    >>> import skelmo.dask
    >>> from skelmo import ElmoVectorizer
    >>> skelmo.dask.encode(ddf, ElmoVectorizer(), "text")  # doctest: +SKIP
    """
    check_column(ddf.columns, text, "skelmo.dask.encode")
    encoder = RowEncoder.of(vectorizer)
    names = vectorizer.get_feature_names_out()
    nothing = np.empty((0, len(names)), dtype=dtype)
    meta = pd.DataFrame(nothing, columns=names, index=ddf._meta.index)
    model = _sent(Parcel.of(encoder))
    given = {"names": names, "dtype": dtype, "skips_errors": on_error == "nan"}
    return ddf[text].map_partitions(_encoded, model, **given, meta=meta)


def _sent(parcel: Parcel) -> Any:
    """Return what stands for a parcel in a graph, once: on all workers if there are."""
    try:
        client = get_client()
    except ValueError:  # the scheduler is of this process
        return dask.delayed(parcel)
    return client.scatter(parcel, broadcast=True, hash=False)


def _encoded(
    documents: pd.Series,
    model: Parcel,
    *,
    names: Any,
    dtype: str,
    skips_errors: bool,
) -> pd.DataFrame:
    """Encode a partition."""
    encoder: RowEncoder = model.open()
    rows, _ = encoder(documents.tolist(), skips_errors=skips_errors)
    return pd.DataFrame(rows.astype(dtype), columns=names, index=documents.index)
