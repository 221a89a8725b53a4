import json

import numpy as np
import pytest
from sklearn.metrics import classification_report, confusion_matrix

from skelmo.cli.class_report import class_report

TRUTH = ["a", "a", "b", "b", "b", "c", "d", "a"]
PREDICTED = ["a", "b", "b", "b", "c", "c", "a", "a"]


def test_numbers_are_those_of_scikit_learn():
    found = class_report(TRUTH, PREDICTED).to_dict()
    expected = classification_report(
        TRUTH, PREDICTED, output_dict=True, zero_division=0
    )
    assert found["rows"] == 8
    assert found["accuracy"] == pytest.approx(expected["accuracy"])
    for ours, theirs in [
        (found["macro"], expected["macro avg"]),
        *((found["classes"][name], expected[name]) for name in "abcd"),
    ]:
        for measure, key in (("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")):
            assert ours[measure] == pytest.approx(theirs[key])
    assert [found["classes"][name]["rows"] for name in "abcd"] == [3, 3, 1, 1]
    assert found["confusion"] == confusion_matrix(TRUTH, PREDICTED).tolist()
    assert json.loads(json.dumps(found)) == found


def test_classes_that_are_only_predicted_count_too():
    found = class_report(["x", "x"], ["x", "y"])
    assert found.classes == ["x", "y"]
    np.testing.assert_array_equal(found.confusion, [[1, 1], [0, 0]])
    np.testing.assert_allclose(found.by_class, [[1, 0.5, 2 / 3], [0, 0, 0]])


def test_tables_are_read_by_columns():
    assert str(class_report(TRUTH, PREDICTED)) == (
        "accuracy 0.625\n"
        "\n"
        "            precision  recall     f1  rows\n"
        "a               0.667   0.667  0.667     3\n"
        "b               0.667   0.667  0.667     3\n"
        "c               0.500   1.000  0.667     1\n"
        "d               0.000   0.000  0.000     1\n"
        "macro mean      0.458   0.583  0.500     8\n"
        "\n"
        "true \\ predicted  a  b  c  d\n"
        "a                 2  1  0  0\n"
        "b                 0  2  1  0\n"
        "c                 0  0  1  0\n"
        "d                 1  0  0  0\n"
    )


def test_long_classes_are_cut():
    name = "a class of\nmany words, and more of them"
    lines = str(class_report([name], [name])).splitlines()
    assert lines[3].startswith("a class of many words, …   ")
