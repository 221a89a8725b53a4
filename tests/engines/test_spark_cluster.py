"""Features in a Spark whose executors are processes, and in one that is far away."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_workers import environment_of_workers
from spark_tables import features_of, spark_session, table_of
from strange_tokenizers import Killer

pytest.importorskip("pyspark", reason="needs pyspark: pip install 'skelmo[spark]'")
if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
    pytest.skip("Spark needs Java, and there is none", allow_module_level=True)
if not Path("/proc/self/status").exists():
    pytest.skip("the tests look for processes in /proc", allow_module_level=True)

import skelmo.spark

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CONNECTED = """
import sys
import warnings

warnings.simplefilter("ignore")  # of Spark, about pandas

import numpy as np
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skelmo.spark
from skelmo import ElmoVectorizer

texts = [f"film {k} was good" for k in range(30)]
spark = SparkSession.builder.remote("local[2]").getOrCreate()
df = spark.createDataFrame(list(enumerate(texts)), "id long, text string")
elmo = ElmoVectorizer(sys.argv[1], cache=None).fit(texts)
expected = elmo.transform(texts)
for store_weights in ("auto", False):  # with the tasks, or read from the path
    elmo.set_params(store_weights=store_weights)
    rows = skelmo.spark.transform(df, elmo, "text").orderBy("id").collect()
    np.testing.assert_allclose([row.features for row in rows], expected, atol=1e-5)
rows = skelmo.spark.transform(df, elmo, "text", to_vector=True).orderBy("id").collect()
vectors = [row.features.toArray() for row in rows]
np.testing.assert_allclose(vectors, expected, atol=1e-5)
pipeline = make_pipeline(elmo, LogisticRegression())
pipeline.fit(texts, [k % 2 for k in range(30)])
rows = skelmo.spark.predict(df, pipeline, "text").orderBy("id").collect()
assert [row.label for row in rows] == pipeline.predict(texts).tolist()
print(type(df).__module__)
"""


def test_an_executor_that_is_lost_costs_no_row(make, texts, tmp_path):
    # A worker's parent forks workers, and the parent of that is the executor.
    vectorizer = make(tokenizer=Killer(tmp_path / "died", n_above=2))
    documents = [*texts[:70], "they die", *texts[70:]]
    with spark_session("local-cluster[2,1,1024]") as session:
        df = table_of(session, documents, 4)
        got = features_of(skelmo.spark.transform(df, vectorizer, "text"))
    assert "CoarseGrainedExecutorBackend" in (tmp_path / "died").read_text()
    assert len(got) == len(documents)
    np.testing.assert_allclose(got, vectorizer.transform(documents), atol=1e-5)


def test_rows_by_spark_connect_are_those_of_the_vectorizer(model_path):
    pytest.importorskip("grpc", reason="needs Spark Connect: skelmo[spark]")
    with environment_of_workers():
        done = subprocess.run(
            [sys.executable, "-c", CONNECTED, str(model_path)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["pyspark.sql.connect.dataframe"]
