"""What tests on Spark share: sessions, and tables that go in and come out."""

from contextlib import contextmanager

import numpy as np
from engine_workers import environment_of_workers


@contextmanager
def spark_session(master, **settings):
    """Start a Spark whose workers are of this Python, and end it."""
    from pyspark.sql import SparkSession

    settings |= {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1"}
    with environment_of_workers():
        builder = SparkSession.builder.master(master)
        session = builder.config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


def table_of(session, texts, n_partitions=2):
    """Return a table of texts and their numbers, in so many partitions."""
    rdd = session.sparkContext.parallelize(list(enumerate(texts)), n_partitions)
    return session.createDataFrame(rdd, "id long, text string")


def features_of(df, name="features"):
    """Return the features in the order of ids, each of which occurs once."""
    rows = sorted(df.select("id", name).collect())
    assert [row.id for row in rows] == list(range(len(rows)))
    return np.array([row[name] for row in rows], dtype=np.float32)
