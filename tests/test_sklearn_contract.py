"""What scikit-learn asks of an estimator.

Its generator asks next to nothing of a transformer of one-dimensional input. So checks
that need no data are called by name, on classes that claim to take matrices, and the
others through `RowVectorizer`, which reads each row of a matrix as a document.
"""

import unittest
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import (
    check_estimator,
    estimator_checks_generator,
    parametrize_with_checks,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from skelmo import ElmoLanguageModel, ElmoVectorizer


class Matrices:
    """Claim to take matrices, without which most checks do not run."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        return tags


class MatrixVectorizer(Matrices, ElmoVectorizer):
    pass


class MatrixLanguageModel(Matrices, ElmoLanguageModel):
    pass


class RowVectorizer(Matrices, ElmoVectorizer):
    """Vectorize rows of numbers: a row's document is its numbers, written out."""

    def _fit(self, X):
        documents = super()._fit(self._documents(X, reset=True))
        validate_data(self, X, reset=True, skip_check_array=True)
        return documents

    def _check(self, X):
        check_is_fitted(self, "language_model_")
        return super()._check(self._documents(X, reset=False))

    def _documents(self, X, reset):
        rows = validate_data(self, X, reset=reset, dtype="numeric")
        return [" ".join(map(repr, row.tolist())) for row in rows]


@pytest.fixture(scope="module")
def directory(language_model, tmp_path_factory):
    """Return the path of the saved language model."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    language_model.save(path)
    return str(path)


@pytest.fixture(params=["directory", "frozen"])
def row_vectorizer(request):
    return RowVectorizer(language_model=request.getfixturevalue(request.param))


with warnings.catch_warnings():
    # That it skips nearly all is why the rest of this file is there.
    warnings.simplefilter("ignore", SkipTestWarning)
    generated = parametrize_with_checks([ElmoVectorizer()])


@generated
def test_generated_checks(estimator, check):
    check(estimator)


def test_generated_checks_of_the_language_model(tiny):
    with pytest.warns(SkipTestWarning, match="^Can't test estimator ElmoLanguageModel"):
        check_estimator(ElmoLanguageModel(**tiny))


@pytest.mark.parametrize(
    "estimator",
    [
        ElmoVectorizer(),
        ElmoLanguageModel(),
    ],
    ids=repr,
)
def test_tags_say_that_documents_go_in(estimator):
    for missing in ("error", "empty", "nan"):
        tags = get_tags(estimator.set_params(missing=missing))
        assert tags.input_tags.string
        assert tags.input_tags.one_d_array
        assert not tags.input_tags.two_d_array
        assert not tags.input_tags.sparse
        assert tags.input_tags.allow_nan == (missing != "error")
        assert tags.requires_fit
        assert not tags.non_deterministic
        assert not tags.no_validation
        assert not tags._skip_test
        assert not tags.target_tags.required


DATA_FREE = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_unfitted",
    "check_estimator_sparse_tag",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
]
OF_TRANSFORMERS = ["check_transformers_unfitted", "check_transformer_n_iter"]


def named(names):
    """Return the checks that this version of scikit-learn has."""
    found = [getattr(estimator_checks, name, None) for name in names]
    return [check for check in found if check is not None]


def test_hardly_a_check_is_missing():
    assert len(named(DATA_FREE + OF_TRANSFORMERS)) >= 14


@pytest.mark.parametrize("check", named(DATA_FREE + OF_TRANSFORMERS))
def test_checks_without_data(check):
    check("MatrixVectorizer", MatrixVectorizer(layers=[0], pooling="max"))


@pytest.mark.parametrize("check", named(DATA_FREE))
def test_checks_without_data_of_the_language_model(check):
    check("MatrixLanguageModel", MatrixLanguageModel(max_epochs=2))


ROW_CHECKS = [check for _, check in estimator_checks_generator(RowVectorizer())]


def test_the_generator_gives_its_checks_to_rows():
    names = {check.func.__name__ for check in ROW_CHECKS}
    assert len(ROW_CHECKS) >= 40
    assert {
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_transformer_general",
        "check_estimators_pickle",
        "check_fit_idempotent",
        "check_pipeline_consistency",
    } <= names


@pytest.mark.parametrize("check", ROW_CHECKS, ids=lambda check: check.func.__name__)
def test_checks_with_rows(check, row_vectorizer):
    try:
        check(row_vectorizer)
    except unittest.SkipTest:
        assert check.func.__name__ == "check_array_api_input"
        raise


BY_HAND = [
    "check_param_validation",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_global_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_inplace_ensure_writeable",
    "check_estimators_partial_fit_n_features",
]


# The checks mix frames and arrays on purpose.
@pytest.mark.filterwarnings("ignore:X .*feature names, but RowVectorizer:UserWarning")
@pytest.mark.parametrize("check", named(BY_HAND))
def test_further_checks_with_rows(check, directory):
    check("RowVectorizer", RowVectorizer(language_model=directory))


@pytest.mark.parametrize("name", ElmoLanguageModel().get_params())
def test_the_language_model_validates_each_parameter(name):
    """Give a value that no parameter takes; check_param_validation needs matrices."""
    model = ElmoLanguageModel(**{name: type("Wrong", (), {})()})
    message = (
        f"^The '{name}' parameter of ElmoLanguageModel must be .* Got .* instead.$"
    )
    with pytest.raises(ValueError, match=message):
        model.fit(["The cat sat."])
    assert set(vars(model)) == set(model.get_params())


def test_fit_gives_back_the_estimator(frozen, tiny, texts):
    for estimator in (ElmoVectorizer(language_model=frozen), ElmoLanguageModel(**tiny)):
        parameters = estimator.get_params()
        assert estimator.fit(texts, y=np.arange(len(texts))) is estimator
        assert estimator.get_params() == parameters


def test_y_does_not_matter(tiny, texts):
    vectorizer = ElmoVectorizer(language_model=ElmoLanguageModel(**tiny))
    expected = vectorizer.fit_transform(texts)
    y = np.arange(len(texts)) % 2
    np.testing.assert_array_equal(clone(vectorizer).fit_transform(texts, y), expected)


def test_parameters_of_a_trained_model_can_be_searched(tiny):
    vectorizer = ElmoVectorizer(language_model=ElmoLanguageModel(**tiny))
    vectorizer.set_params(language_model__hidden_size=5, layers="top")
    assert clone(vectorizer).get_params()["language_model__hidden_size"] == 5
    frozen = ElmoVectorizer(language_model=FrozenEstimator(vectorizer.language_model))
    assert clone(frozen).language_model is frozen.language_model
