"""What scikit-learn asks of an estimator.

Its generator asks next to nothing of what takes one-dimensional input. For a
transformer, `skelmo.testing` has the rest; of a language model, the checks that need no
data are called by name, on a class that claims to take matrices.
"""

import re
import unittest
import warnings
from inspect import Parameter, signature

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.testing import matrices, text_transformer_checks


class MatrixLanguageModel(ElmoLanguageModel):
    """Claim to take matrices, without which most checks do not run."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.input_tags.two_d_array = True
        return tags


with warnings.catch_warnings():
    # That it skips nearly all is why the rest of this file is there.
    warnings.simplefilter("ignore", SkipTestWarning)
    GENERATED = list(estimator_checks_generator(ElmoVectorizer()))


@pytest.mark.parametrize(("estimator", "check"), GENERATED)
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
        ready = isinstance(estimator, ElmoVectorizer)
        assert tags.requires_fit == (not ready)
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


@pytest.mark.parametrize("check", named(DATA_FREE))
def test_checks_without_data_of_the_language_model(check):
    check("MatrixLanguageModel", MatrixLanguageModel(max_epochs=2))


# Some are of what needs no fit, some of what does.
PAIRS = [
    *text_transformer_checks(ElmoVectorizer()),
    *text_transformer_checks(ElmoVectorizer(layers="learned")),
]
CHECKS = list({check.__name__: check for _, check in PAIRS}.values())


def is_of_others(check, estimator):
    """Tell whether a check is of what needs a fit, and this does not; or vice versa."""
    if "unfitted" not in check.__name__:
        return False
    return check.__name__.endswith("stateless") == get_tags(estimator).requires_fit


# What asks for SCIPY_ARRAY_API, a method that there is not, or what is not installed;
# and what is true of no transformer that needs no fit.
SKIPPED = "array_api_input|partial_fit_n_features|polars|pyarrow|string_dtype|index_is"
SKIPPED += "|get_feature_names_out_error"


def test_all_checks_are_there():
    names = {check.__name__ for check in CHECKS}
    assert len(CHECKS) >= 80
    assert {*DATA_FREE, *OF_TRANSFORMERS} & set(dir(estimator_checks)) <= names
    assert set(matrices.BY_HAND) & set(dir(estimator_checks)) <= names
    assert {
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_transformer_general",
        "check_estimators_pickle",
        "check_fit_idempotent",
        "check_pipeline_consistency",
        "check_order_invariance",
        "check_subset_invariance",
        "check_accepts_list",
    } <= names


CASES = {
    "model_path": {"cache": None},
    "model_path, cached": {},
    "frozen": {"cache": None},
    "frozen, cached": {"cache": "memory"},
    "model_path, other layers": {"layers": [0], "pooling": "max", "cache": None},
    "model_path, side by side": {"layers": "concat", "pooling": ["mean", "last"]},
    "model_path, small batches": {"max_batch_tokens": 32, "cache": None},
    "frozen, some missing": {"missing": "nan", "cache": None},
    "frozen, learned": {"layers": "learned"},
    "frozen, reduced": {"n_components": 1},
}


@pytest.fixture(params=CASES)
def vectorizer(request):
    """Without a cache too, which would answer for the encoder."""
    model = request.getfixturevalue(request.param.partition(",")[0])
    return ElmoVectorizer(language_model=model, **CASES[request.param])


def skip_as_expected(check, estimator):
    try:
        check(estimator)
    except unittest.SkipTest:
        assert re.search(SKIPPED, check.__name__)
        raise


@pytest.mark.parametrize("check", CHECKS)
def test_checks_of_the_vectorizer(check, vectorizer):
    learns = vectorizer.layers == "learned" or vectorizer.n_components
    if learns and "weight_equiv" in check.__name__:
        pytest.skip("float32 rounds by more than it allows; test_layer_mix, _reduction")
    if is_of_others(check, vectorizer):
        pytest.skip("of what needs a fit, or of what does not")
    skip_as_expected(check, vectorizer)


# Its corpus is small, and a text of weight 2 is not the text given twice.
@pytest.mark.filterwarnings("ignore:ElmoLanguageModel is trained on:UserWarning")
@pytest.mark.parametrize(
    "check", [check for check in CHECKS if "weight_equiv" not in check.__name__]
)
def test_checks_of_a_vectorizer_that_trains(check, tiny):
    model = ElmoLanguageModel(**tiny)
    if is_of_others(check, ElmoVectorizer(model)):
        pytest.skip("of what needs no fit")
    skip_as_expected(check, ElmoVectorizer(language_model=model))


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


@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (ElmoVectorizer, "language_model"),
        (GloveVectorizer, "vectors"),
        (Word2VecVectorizer, "vectors"),
    ],
)
def test_what_vectors_come_from_needs_no_name(cls, name):
    assert cls("a").get_params() == cls(**{name: "a"}).get_params()
    assert getattr(clone(cls("a")), name) == "a"
    first, *others = signature(cls).parameters.values()
    assert first.name == name
    assert {parameter.kind for parameter in others} == {first.KEYWORD_ONLY}


def test_nothing_of_a_language_model_goes_without_its_name():
    parameters = signature(ElmoLanguageModel).parameters.values()
    assert {parameter.kind for parameter in parameters} == {Parameter.KEYWORD_ONLY}


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
