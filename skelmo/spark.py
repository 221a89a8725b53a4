"""ELMo features of the texts in Spark's tables.

Install it with ``pip install 'skelmo[spark]'``.
"""

from __future__ import annotations

try:
    from pyspark.ml import Transformer
except ImportError as error:
    raise ImportError(
        "skelmo.spark needs Spark, which is not installed. Install it with: "
        "pip install skelmo[spark]"
    ) from error

import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pyspark.ml.functions import array_to_vector
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCol, HasOutputCol
from pyspark.ml.util import (
    DefaultParamsReader,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DoubleType,
    FloatType,
    LongType,
    StringType,
    StructField,
    StructType,
)
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params

from skelmo.engines.arrow_batches import with_features, with_predictions
from skelmo.engines.columns import check_new_column
from skelmo.engines.parcel import Parcel, pickled
from skelmo.engines.row_encoder import RowEncoder
from skelmo.engines.row_predictor import RowPredictor
from skelmo.estimators.vectorizer import ElmoVectorizer

__all__ = ["ElmoTransformer", "predict", "transform"]

_FEATURES: dict[str, DataType] = {
    "float32": ArrayType(FloatType()),
    "float16": BinaryType(),
}
_LABELS: dict[str, DataType] = {
    "i": LongType(),
    "u": LongType(),
    "f": DoubleType(),
    "b": BooleanType(),
}
_ON_ERROR = [StrOptions({"raise", "null"})]

T = TypeVar("T")
Batches = Iterator[Any]  # of pyarrow.RecordBatch


@validate_params(
    {
        "vectorizer": [ElmoVectorizer],
        "text": [str],
        "output": [str],
        "dtype": [StrOptions(set(_FEATURES))],
        "to_vector": ["boolean"],
        "on_error": _ON_ERROR,
    },
    prefer_skip_nested_validation=True,
)
def transform(
    df: DataFrame,
    vectorizer: ElmoVectorizer,
    text: str,
    *,
    output: str = "features",
    dtype: str = "float32",
    to_vector: bool = False,
    on_error: str = "raise",
) -> DataFrame:
    """Add the features of a column of documents.

    The language model goes to the workers once, in a broadcast, and is loaded once in
    each Python process there; one that is bundled with skelmo is read where skelmo is.
    With Spark Connect, which has no broadcasts, it goes with every task.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
    vectorizer : ElmoVectorizer
        Fitted, or in no need of that. Its cache in memory is not used. Under
        ``store_weights=False`` workers read the model from its own path.
    text : str
        Name of a column of strings, or of lists of tokens for ``input="tokens"``.
    output : str, default="features"
        Name of the column to add.
    dtype : {"float32", "float16"}, default="float32"
        "float32" gives lists of float; "float16" half the bytes, as binary:
        ``numpy.frombuffer(value, "<f2")`` reads them.
    to_vector : bool, default=False
        Whether to give vectors of `pyspark.ml` instead, which are float64.
    on_error : {"raise", "null"}, default="raise"
        Whether a document that raises an error fails the job, or has null as features
        and is logged by its worker. What a null document is, `missing` says.

    Returns
    -------
    df : pyspark.sql.DataFrame
        With all columns it had, and the new one last.

    Examples
    --------
    >>> import skelmo.spark
    >>> from skelmo import ElmoVectorizer
    >>> skelmo.spark.transform(df, ElmoVectorizer(), "text")  # doctest: +SKIP
    DataFrame[id: bigint, text: string, features: array<float>]
    """
    owner = "skelmo.spark.transform"
    if to_vector and dtype != "float32":
        raise ValueError(
            f"{owner}(to_vector=True) gives vectors of float64, but dtype is "
            f"{dtype!r}. Leave out one of the two."
        )
    encoder = RowEncoder.of(vectorizer)
    _check_column(df, text, encoder.features.analyzer.input, owner)
    schema = _extended(df, {output: _FEATURES[dtype]}, owner)
    opened = _sent(df, encoder)
    skips_errors = on_error == "null"

    def encoded(batches: Batches) -> Batches:
        return with_features(
            batches, opened, text, output, dtype=dtype, skips_errors=skips_errors
        )

    result = df.mapInArrow(encoded, schema)
    if not to_vector:
        return result
    vectors = sf.when(sf.col(output).isNotNull(), array_to_vector(sf.col(output)))
    return result.withColumn(output, vectors)


@validate_params(
    {
        "pipeline": [HasMethods("fit")],
        "text": [str],
        "output": [str],
        "probabilities": ["boolean"],
        "on_error": _ON_ERROR,
    },
    prefer_skip_nested_validation=True,
)
def predict(
    df: DataFrame,
    pipeline: Any,
    text: str,
    *,
    output: str = "label",
    probabilities: bool = False,
    on_error: str = "raise",
) -> DataFrame:
    """Add what a fitted pipeline predicts of a column of texts.

    It travels as the language model of `transform` does.

    Parameters
    ----------
    df : pyspark.sql.DataFrame
    pipeline : estimator
        A fitted classifier or regressor of texts, such as a `Pipeline` that begins with
        an `ElmoVectorizer`, or an `ElmoClassifier`.
    text : str
        Name of a column of strings.
    output : str, default="label"
        Name of the column to add: string, bigint, boolean or double, as the classes
        are; of a regressor, double.
    probabilities : bool, default=False
        Whether to add a second column, with "_probabilities" behind its name: a list of
        double in the order of ``pipeline.classes_``.
    on_error : {"raise", "null"}, default="raise"
        Whether a text that raises an error fails the job, or has null.

    Returns
    -------
    df : pyspark.sql.DataFrame
        With all columns it had, and the new ones last.

    Examples
    --------
    >>> skelmo.spark.predict(df, model, "text")  # doctest: +SKIP
    DataFrame[id: bigint, text: string, label: string]
    """
    owner = "skelmo.spark.predict"
    predictor = RowPredictor.of(pipeline, probabilities=probabilities, owner=owner)
    _check_column(df, text, "text", owner)
    added = {output: _LABELS.get(predictor.dtype.kind, StringType())}
    if probabilities:
        added[f"{output}_probabilities"] = ArrayType(DoubleType())
    schema, outputs = _extended(df, added, owner), list(added)
    opened = _sent(df, predictor)
    skips_errors = on_error == "null"

    def predicted(batches: Batches) -> Batches:
        return with_predictions(
            batches, opened, text, outputs, skips_errors=skips_errors
        )

    return df.mapInArrow(predicted, schema)


class ElmoTransformer(Transformer, HasInputCol, HasOutputCol, MLWritable, MLReadable):
    """Features of documents as a stage of a `pyspark.ml.Pipeline`.

    Parameters
    ----------
    vectorizer : ElmoVectorizer
        As `transform` takes it.
    inputCol : str, default="text"
        Name of the column of documents.
    outputCol : str, default="features"
        Name of the column to add.
    toVector : bool, default=True
        Whether to give vectors, as other stages want them, or lists of float.
    onError : {"raise", "null"}, default="raise"
        As `on_error` of `transform`.

    Notes
    -----
    What `save` writes holds a pickle: load only what you trust.

    Examples
    --------
    >>> from pyspark.ml import Pipeline  # doctest: +SKIP
    >>> from pyspark.ml.classification import LogisticRegression  # doctest: +SKIP
    >>> elmo = skelmo.spark.ElmoTransformer(ElmoVectorizer())  # doctest: +SKIP
    >>> model = Pipeline(stages=[elmo, LogisticRegression()]).fit(df)  # doctest: +SKIP
    """

    toVector: Param[bool] = Param(
        Params._dummy(),
        "toVector",
        "whether to give vectors",
        TypeConverters.toBoolean,
    )
    onError: Param[str] = Param(
        Params._dummy(),
        "onError",
        "what a document that raises does: raise or null",
        TypeConverters.toString,
    )

    def __init__(
        self,
        vectorizer: ElmoVectorizer,
        *,
        inputCol: str = "text",
        outputCol: str = "features",
        toVector: bool = True,
        onError: str = "raise",
    ) -> None:
        super().__init__()
        self.vectorizer = vectorizer
        self._set(
            inputCol=inputCol, outputCol=outputCol, toVector=toVector, onError=onError
        )

    def _transform(self, dataset: DataFrame) -> DataFrame:
        """Add the column."""
        return transform(
            dataset,
            self.vectorizer,
            self.getInputCol(),
            output=self.getOutputCol(),
            to_vector=self.getOrDefault(self.toVector),
            on_error=self.getOrDefault(self.onError),
        )

    def write(self) -> MLWriter:
        """Return what saves it."""
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader[ElmoTransformer]:
        """Return what loads it."""
        return _Reader()


class _Writer(MLWriter):
    """Save the columns' names as Spark does, and the vectorizer beside them."""

    def __init__(self, instance: ElmoTransformer) -> None:
        super().__init__()
        self.instance = instance

    def saveImpl(self, path: str) -> None:
        spark = self.sparkSession
        DefaultParamsWriter.saveMetadata(self.instance, path, spark)
        content = bytearray(pickled(self.instance.vectorizer))
        frame = spark.createDataFrame([(content,)], "vectorizer binary")
        frame.coalesce(1).write.parquet(_place(path))


class _Reader(MLReader[ElmoTransformer]):
    """Load what `_Writer` has saved."""

    def load(self, path: str) -> ElmoTransformer:
        spark = self.sparkSession
        metadata = DefaultParamsReader.loadMetadata(path, spark)
        (row,) = spark.read.parquet(_place(path)).collect()
        loaded = ElmoTransformer(pickle.loads(row.vectorizer))
        loaded._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(loaded, metadata)
        return loaded


def _place(path: str) -> str:
    """Return where a saved transformer has its vectorizer, in any file system."""
    return f"{path.rstrip('/')}/vectorizer"


def _sent(df: DataFrame, thing: T) -> Callable[[], T]:
    """Send something to the workers; return what gives it to a function there."""
    parcel = Parcel.of(thing)
    if isinstance(df, ClassicDataFrame):
        broadcast = df.sparkSession.sparkContext.broadcast(parcel)
        return lambda: broadcast.value.open()
    return parcel.open


def _check_column(df: DataFrame, text: str, input: str, owner: str) -> None:
    """Raise unless there is a column of documents."""
    columns = ", ".join(df.columns)
    if df.columns.count(text) != 1:
        raise ValueError(
            f"{owner} needs one column {text!r} of documents, but the columns are "
            f"{columns}. Give the name of another one."
        )
    found = df.schema[text].dataType
    wanted = StringType if input == "text" else ArrayType
    if not isinstance(found, wanted):
        raise TypeError(
            f"{owner} needs a column of {'strings' if input == 'text' else 'arrays'} "
            f"for input={input!r}, but {text!r} is {found.simpleString()}. Cast it, or "
            f"fit a vectorizer with another `input`."
        )


def _extended(df: DataFrame, added: dict[str, DataType], owner: str) -> StructType:
    """Return the schema with columns more."""
    for name in added:
        check_new_column(df.columns, name, owner)
    more = [StructField(name, kind) for name, kind in added.items()]
    return StructType([*df.schema.fields, *more])
