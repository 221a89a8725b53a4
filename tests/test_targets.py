"""Classes, labels and weights, as a head learns them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.utils import compute_sample_weight

from skelmo.estimators.targets import (
    Classes,
    checked_labels,
    checked_numbers,
    classes_of,
    example_weight,
)


def test_classes_are_numbered_in_their_order():
    y = checked_labels(["b", "a", "c", "a"], "Owner")
    classes = classes_of(y, "Owner")
    assert_array_equal(classes.values, ["a", "b", "c"])
    assert_array_equal(classes.codes(y, "Owner"), [1, 0, 2, 0])


def test_more_classes_may_be_given_than_there_are():
    y = checked_labels(["b", "a"], "Owner")
    classes = classes_of(y, "Owner", ["c", "b", "a"])
    assert_array_equal(classes.values, ["a", "b", "c"])
    assert classes_of(y[:1], "Owner", ["a", "b"]).kind == "classes"


def test_an_indicator_may_be_sparse():
    Y = np.array([[1, 0, 1], [0, 0, 1]])
    for given in (Y, csr_matrix(Y), Y.tolist()):
        labels = checked_labels(given, "Owner")
        classes = classes_of(labels, "Owner")
        assert classes.kind == "labels"
        codes = classes.codes(labels, "Owner")
        assert_array_equal(codes, Y)
        assert codes.dtype == np.float32


@pytest.mark.parametrize(
    ("y", "told"),
    [([[1, 0], [0, 1]], "2 columns"), ([[1, 0, 1], [0, 1, 1]], "3 columns")],
)
def test_another_kind_of_targets_is_refused(y, told):
    classes = Classes("classes", np.array(["a", "b"]))
    message = (
        f"^Owner was fitted on 2 classes, but y has {told}. Pass targets of the same "
        f"kind.$"
    )
    with pytest.raises(ValueError, match=message):
        classes.codes(np.array(y), "Owner")
    labels = Classes("labels", np.arange(4))
    message = message.replace("2 classes", "4 labels")
    with pytest.raises(ValueError, match=message):
        labels.codes(np.array(y), "Owner")


def test_several_classes_a_document_are_refused():
    message = (
        "^Owner tells one of several classes, or labels that each hold or not, but y "
        "has 2 columns of several classes. Fit one Owner for each, as "
        "MultiOutputClassifier does.$"
    )
    with pytest.raises(ValueError, match=message):
        checked_labels([[1, 2], [0, 1], [2, 0]], "Owner")
    with pytest.raises(ValueError, match="^Unknown label type: continuous"):
        checked_labels([0.5, 1.5], "Owner")


def test_balanced_classes_weigh_the_same():
    y = np.array(["a"] * 6 + ["b"] * 2)
    found = example_weight(None, "balanced", y, "Owner")
    assert_allclose(found, compute_sample_weight("balanced", y), rtol=1e-6)
    weight = np.r_[np.full(6, 0.5), np.full(2, 3.0)]
    found = example_weight(weight, "balanced", y, "Owner")
    assert found[:6].sum() == pytest.approx(found[6:].sum())
    repeated = example_weight(None, "balanced", np.repeat(y, 2), "Owner")
    twice = example_weight(np.full(8, 2.0), "balanced", y, "Owner")
    assert_allclose(twice, 2 * repeated[::2], rtol=1e-6)


def test_numbers_of_one_column_have_one_axis():
    assert checked_numbers([[1], [2]], "Owner").shape == (2,)
    assert checked_numbers([[1, 2], [2, 3]], "Owner").shape == (2, 2)
    assert checked_numbers([1, 2], "Owner").dtype == np.float64
    with pytest.raises(ValueError, match="^Input y contains infinity"):
        checked_numbers([1.0, np.inf], "Owner")
