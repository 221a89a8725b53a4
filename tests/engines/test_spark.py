"""Features in Spark's tables, by a Spark of two workers that fail in every way."""

import os
import shutil
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from spark_tables import features_of, spark_session, table_of
from strange_tokenizers import Killer, Witness, fussy, notes

from skelmo import ElmoVectorizer
from skelmo.engines import parcel

pytest.importorskip("pyspark", reason="needs pyspark: pip install 'skelmo[spark]'")
if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
    pytest.skip("Spark needs Java, and there is none", allow_module_level=True)

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression as SparkRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import functions as sf
from pyspark.sql.classic.dataframe import DataFrame

import skelmo.spark

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def spark():
    """Return a session of two workers, in which a task may fail once."""
    settings = {"spark.driver.memory": "1g", "spark.sql.shuffle.partitions": "2"}
    with spark_session("local[2,2]", **settings) as session:
        yield session


@pytest.fixture
def table(spark):
    """Return a function from texts to a table of them, in so many partitions."""
    return partial(table_of, spark)


def test_rows_are_those_of_the_vectorizer_in_any_partitions(table, texts, vectorizer):
    expected = vectorizer.transform(texts)
    for n_partitions, n_texts in ((1, 120), (3, 120), (5, 3)):  # some are empty
        df = table(texts[:n_texts], n_partitions)
        df = skelmo.spark.transform(df, vectorizer, "text")
        np.testing.assert_allclose(features_of(df), expected[:n_texts], atol=1e-5)
    assert df.dtypes == [
        ("id", "bigint"), ("text", "string"), ("features", "array<float>"),
    ]  # fmt: skip


def test_no_rows_are_no_rows(table, vectorizer):
    df = table(["a"]).where("id > 5")
    assert skelmo.spark.transform(df, vectorizer, "text").collect() == []


def test_all_columns_stay(table, texts, vectorizer):
    df = table(texts[:20]).select(
        "id",
        (sf.col("id") + 2**62 + 1).alias("large"),
        sf.when(sf.col("id") % 2 == 0, 2**62 + 1).alias("gaps"),
        "text",
        sf.lit("2020-01-01 12:00").cast("timestamp").alias("time"),
        sf.create_map(sf.lit("a"), sf.array("id")).alias("nested"),
        sf.col("id").cast("decimal(20, 3)").alias("exact"),
    )
    result = skelmo.spark.transform(df, vectorizer, "text")
    assert result.columns == [*df.columns, "features"]
    assert sorted(result.drop("features").collect()) == sorted(df.collect())


def test_half_as_wide_features_and_vectors(table, texts, vectorizer):
    df, expected = table(texts[:10]), vectorizer.transform(texts[:10])
    result = skelmo.spark.transform(df, vectorizer, "text", dtype="float16")
    halves = sorted((row.id, row.features) for row in result.collect())
    got = np.array([np.frombuffer(value, "<f2") for _, value in halves])
    np.testing.assert_allclose(got, expected.astype("f2"), atol=1e-3)
    result = skelmo.spark.transform(df, vectorizer, "text", output="v", to_vector=True)
    assert result.dtypes[-1] == ("v", "vector")
    vectors = sorted((row.id, row.v.toArray()) for row in result.collect())
    np.testing.assert_allclose([v for _, v in vectors], expected, atol=1e-5)


def test_a_worker_loads_once_and_computes_with_what_a_task_has(
    table, make, texts, tmp_path
):
    vectorizer = make(tokenizer=Witness(tmp_path))
    for n_partitions in (4, 3):
        df = skelmo.spark.transform(table(texts, n_partitions), vectorizer, "text")
        assert len(features_of(df)) == len(texts)
    found = [note for note in notes(tmp_path) if note["pid"] != os.getpid()]
    loads = [note["pid"] for note in found if note["event"] == "load"]
    work = [note for note in found if note["event"] == "work"]
    assert 1 <= len(loads) == len(set(loads)) < 4 + 3
    assert {note["pid"] for note in work} <= set(loads)
    assert {note["n_threads"] for note in work} == {1}  # spark.task.cpus
    assert not any(note["parent_has_torch"] for note in work)


def test_what_goes_with_a_task_is_small(table, vectorizer, monkeypatch):
    given = []
    monkeypatch.setattr(DataFrame, "mapInArrow", lambda df, *args: given.append(args))
    skelmo.spark.transform(table(["a"]), vectorizer, "text")
    ((function, _),) = given
    assert len(CloudPickleSerializer().dumps(function)) < 10_000


def test_memory_is_bounded_in_a_giant_partition(table, tmp_path):
    vectorizer = ElmoVectorizer(tokenizer=Witness(tmp_path))  # the model of the package
    texts = [f"document {k} of a large partition" for k in range(4000)]
    df = skelmo.spark.transform(table(texts, 1), vectorizer, "text", output="v")
    assert df.select(sf.size("v").alias("n")).groupBy("n").count().collect() == [
        (3072, 4000)
    ]
    peaks = [n["peak_mib"] for n in notes(tmp_path) if n["event"] == "work"]
    assert max(peaks) < 700


def test_long_and_many_documents(table, vectorizer):
    many = [f"{k} films" for k in range(12_000)]  # in one partition
    df = skelmo.spark.transform(table(many, 1), vectorizer, "text")
    expected = vectorizer.transform(many)
    np.testing.assert_allclose(features_of(df), expected, atol=1e-5)
    long = ["word " * 20_000, "short"]
    df = skelmo.spark.transform(table(long), vectorizer, "text")
    np.testing.assert_allclose(features_of(df), vectorizer.transform(long), atol=1e-5)


def test_a_worker_that_is_killed_costs_no_row(table, make, texts, tmp_path):
    vectorizer = make(tokenizer=Killer(tmp_path / "died"))
    documents = [*texts[:70], "they die", *texts[70:]]
    df = skelmo.spark.transform(table(documents, 3), vectorizer, "text")
    got = features_of(df)
    assert (tmp_path / "died").exists()
    np.testing.assert_allclose(got, vectorizer.transform(documents), atol=1e-5)


@pytest.mark.parametrize("missing", ["error", "empty", "nan"])
def test_nulls_are_what_missing_says(table, make, missing):
    vectorizer, df = make(missing=missing), table(["a b", None, "c"])
    if missing == "error":
        with pytest.raises(Exception, match="are missing, the first in row 0"):
            skelmo.spark.transform(df, vectorizer, "text").collect()
        df = skelmo.spark.transform(df, vectorizer, "text", on_error="null")
        assert [row.features is None for row in sorted(df.collect())] == [
            False, True, False,
        ]  # fmt: skip
        return
    got = features_of(skelmo.spark.transform(df, vectorizer, "text"))
    expected = vectorizer.transform(["a b", None, "c"])
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_document_that_raises(table, make):
    vectorizer, df = make(tokenizer=fussy), table(["a b", "raise", "c"])
    with pytest.raises(Exception, match="the tokenizer does not like this text"):
        skelmo.spark.transform(df, vectorizer, "text").collect()
    for given in ({}, {"to_vector": True}, {"dtype": "float16"}):
        result = skelmo.spark.transform(
            df, vectorizer, "text", on_error="null", **given
        )
        rows = sorted(result.collect(), key=lambda row: row.id)
        is_null = [row.features is None for row in rows]
        assert is_null == [False, True, False]


def test_a_path_that_workers_lack(table, model_copy, texts, tmp_path):
    vectorizer = ElmoVectorizer(str(model_copy), cache=None).fit(texts[:5])
    expected = vectorizer.transform(texts[:4])
    sent = skelmo.spark.transform(table(texts[:4]), vectorizer, "text")
    vectorizer.set_params(store_weights=False)
    named = skelmo.spark.transform(table(texts[:4]), vectorizer, "text")
    model_copy.rename(tmp_path / "elsewhere")
    np.testing.assert_allclose(features_of(sent), expected, atol=1e-5)
    with pytest.raises(Exception, match="looks for the language model of ElmoVec"):
        named.collect()


def test_versions_that_differ(table, vectorizer, monkeypatch):
    monkeypatch.setattr(parcel, "__version__", "0.0.1")
    df = skelmo.spark.transform(table(["a"]), vectorizer, "text")
    with pytest.raises(Exception, match="skelmo must have one version everywhere"):
        df.collect()


def test_a_transformer_in_a_pipeline_is_saved_and_loaded(
    table, texts, vectorizer, tmp_path
):
    texts = texts[:30]
    df = table(texts).withColumn("label", (sf.col("id") % 2).cast("double"))
    number = VectorAssembler(inputCols=["id"], outputCol="number")
    elmo = skelmo.spark.ElmoTransformer(vectorizer, inputCol="text", outputCol="elmo")
    both = VectorAssembler(inputCols=["number", "elmo"], outputCol="features")
    stages = [number, elmo, both, SparkRegression(maxIter=2)]
    model = Pipeline(stages=stages).fit(df)
    model.save(str(tmp_path / "model"))
    loaded = PipelineModel.load(str(tmp_path / "model"))
    assert loaded.stages[1].uid == elmo.uid
    assert loaded.stages[1].getOutputCol() == "elmo"
    expected, got = (
        [(row.elmo.toArray().tolist(), row.prediction) for row in found]
        for found in (m.transform(df).orderBy("id").collect() for m in (model, loaded))
    )
    assert got == expected
    np.testing.assert_allclose(
        [row[0] for row in got], vectorizer.transform(texts), atol=1e-5
    )


def test_predictions_are_those_of_the_pipeline(table, texts, make):
    y = ["even", "odd"] * 20
    pipeline = make_pipeline(make(tokenizer=fussy), LogisticRegression())
    pipeline.fit(texts[:40], y)
    df = table([*texts, "raise"])
    result = skelmo.spark.predict(
        df, pipeline, "text", output="y", probabilities=True, on_error="null"
    )
    assert result.dtypes[-2:] == [("y", "string"), ("y_probabilities", "array<double>")]
    *rows, last = sorted(result.collect(), key=lambda row: row.id)
    assert last.y is None
    assert last.y_probabilities is None
    assert [row.y for row in rows] == pipeline.predict(texts).tolist()
    np.testing.assert_allclose(
        [row.y_probabilities for row in rows], pipeline.predict_proba(texts), atol=1e-5
    )
    numbers = make_pipeline(make(), LinearRegression()).fit(texts[:40], range(40))
    result = skelmo.spark.predict(table(texts), numbers, "text")
    assert result.dtypes[-1] == ("label", "double")
    np.testing.assert_allclose(
        features_of(result, "label"), numbers.predict(texts), atol=1e-4
    )


def test_wrong_columns_are_told_of_at_once(table, make):
    df, vectorizer = table(["a"]), make()
    pipeline = make_pipeline(make(), LogisticRegression()).fit(["a", "b"], [0, 1])
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.spark\.transform needs one column "
        r"'body' of documents, but the columns are id, text\. Give ",
    ):
        skelmo.spark.transform(df, vectorizer, "body")
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.spark\.predict adds a column 'id', "
        r"but there is one already\. Set output, or drop that column",
    ):
        skelmo.spark.predict(df, pipeline, "text", output="id")
    with pytest.raises(
        TypeError,
        match=r"^skelmo\.spark\.transform needs a column of "
        r"strings for input='text', but 'id' is bigint\. Cast it",
    ):
        skelmo.spark.transform(df, vectorizer, "id")
    with pytest.raises(
        TypeError,
        match=r"a column of arrays for input='tokens', but "
        r"'text' is string\.",
    ):
        skelmo.spark.transform(df, make(input="tokens"), "text")
    with pytest.raises(
        ValueError,
        match=r"^skelmo\.spark\.transform\(to_vector=True\) "
        r"gives vectors of float64, but dtype is 'float16'\. Leave out",
    ):
        skelmo.spark.transform(df, vectorizer, "text", dtype="float16", to_vector=True)


def test_lists_of_tokens(table, texts, make):
    vectorizer = make(input="tokens")
    df = table(texts[:9]).withColumn("tokens", sf.split("text", " "))
    got = features_of(skelmo.spark.transform(df, vectorizer, "tokens"))
    expected = vectorizer.transform([text.split(" ") for text in texts[:9]])
    np.testing.assert_allclose(got, expected, atol=1e-5)
