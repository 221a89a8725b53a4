"""ELMo features of the texts in Ray's data sets.

Install it with ``pip install 'skelmo[ray]'``.
"""

from __future__ import annotations

try:
    import ray
except ImportError as error:
    raise ImportError(
        "skelmo.ray needs Ray, which is not installed. Install it with: "
        "pip install skelmo[ray]"
    ) from error

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions, validate_params

from skelmo.engines.columns import check_column, check_new_column
from skelmo.engines.parcel import Parcel
from skelmo.engines.row_encoder import RowEncoder
from skelmo.estimators.vectorizer import ElmoVectorizer

__all__ = ["Encoder", "put"]


@validate_params({"vectorizer": [ElmoVectorizer]}, prefer_skip_nested_validation=True)
def put(vectorizer: ElmoVectorizer) -> ray.ObjectRef[Any]:
    """Put what a vectorizer transforms by into Ray's object store, once for all.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
        Fitted, or in no need of that. Its cache in memory is not used. Under
        ``store_weights=False`` workers read the model from its own path.

    Returns
    -------
    model : ray.ObjectRef
        For `Encoder`.
    """
    return ray.put(Parcel.of(RowEncoder.of(vectorizer)))


class Encoder:
    """Add the features of a column of documents to batches, in an actor.

    Parameters
    ----------
    model : ray.ObjectRef
        What `put` returned.
    text : str, default="text"
        Name of the column of documents.
    output : str, default="features"
        Name of the column to add.
    dtype : {"float32", "float16"}, default="float32"
        Of the features.
    on_error : {"raise", "nan"}, default="raise"
        Whether a document that raises an error fails the job, or has a row of nan and
        is logged by its worker. What a missing document is, `missing` says.

    Examples
    --------
    >>> import skelmo.ray
    >>> from skelmo import ElmoVectorizer
    >>> model = skelmo.ray.put(ElmoVectorizer())  # doctest: +SKIP
    >>> ds.map_batches(
    ...     skelmo.ray.Encoder, fn_constructor_args=[model, "text"], concurrency=2
    ... )  # doctest: +SKIP
    """

    @validate_params(
        {
            "model": [ray.ObjectRef],
            "text": [str],
            "output": [str],
            "dtype": [StrOptions({"float32", "float16"})],
            "on_error": [StrOptions({"raise", "nan"})],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        model: ray.ObjectRef[Any],
        text: str = "text",
        *,
        output: str = "features",
        dtype: str = "float32",
        on_error: str = "raise",
    ) -> None:
        self.encoder: RowEncoder = ray.get(model).open()
        self.text, self.output, self.dtype = text, output, np.dtype(dtype)
        self.skips_errors = on_error == "nan"

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Encode a batch.

        Parameters
        ----------
        batch : dict of str to ndarray of length n

        Returns
        -------
        batch : dict of str to ndarray
            With all columns it had, and one of shape (n, n_features).

        Raises
        ------
        ValueError
            If there is no column of documents, or one of the new name.
        """
        owner = "skelmo.ray.Encoder"
        check_column(batch, self.text, owner)
        check_new_column(batch, self.output, owner)
        values = batch[self.text].tolist()
        rows, _ = self.encoder(values, skips_errors=self.skips_errors)
        return {**batch, self.output: rows.astype(self.dtype)}
