"""What is not installed says how it would be."""

import importlib
import re
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "package", "engine"),
    [
        ("spark", "pyspark", "Spark"),
        ("ray", "ray", "Ray"),
        ("dask", "distributed", "Dask"),
    ],
)
def test_an_engine_that_is_not_there(monkeypatch, name, package, engine):
    # Where other tests have imported it, its parts would be found without it.
    parts = [each for each in sys.modules if each.startswith(f"{package}.")]
    for each in [package, *parts]:
        monkeypatch.setitem(sys.modules, each, None)
    monkeypatch.delitem(sys.modules, f"skelmo.{name}", raising=False)
    message = (
        f"skelmo.{name} needs {engine}, which is not installed. Install it with: pip "
        f"install skelmo[{name}]"
    )
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        importlib.import_module(f"skelmo.{name}")
