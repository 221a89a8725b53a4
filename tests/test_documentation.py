import re

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from skelmo import (
    ElmoClassifier,
    ElmoLanguageModel,
    ElmoRegressor,
    ElmoVectorizer,
    __version__,
)
from skelmo.baselines import GloveVectorizer, Word2VecVectorizer
from skelmo.estimators.documentation import PAGE, LinkMixin

EDITION = "latest" if "dev" in __version__ else "stable"
PAGES = f"https://skelmo.readthedocs.io/en/{EDITION}/api/generated"
ESTIMATORS = {
    ElmoClassifier: "skelmo.ElmoClassifier",
    ElmoLanguageModel: "skelmo.ElmoLanguageModel",
    ElmoRegressor: "skelmo.ElmoRegressor",
    ElmoVectorizer: "skelmo.ElmoVectorizer",
    GloveVectorizer: "skelmo.baselines.GloveVectorizer",
    Word2VecVectorizer: "skelmo.baselines.Word2VecVectorizer",
}


class Derived(ElmoVectorizer):
    """A user's own."""


class Hidden(LinkMixin, BaseEstimator):
    """A class of the library that no package exports."""

    __module__ = "skelmo.baselines.glove"


def links(estimator):
    return re.findall(r'href="([^"]*)"', estimator._repr_html_())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_representation_links_to_the_page(estimator):
    page = f"{PAGES}/{ESTIMATORS[estimator]}.html"
    assert page in links(estimator())
    assert page in links(make_pipeline(estimator()))
    assert page == PAGE.format(name=ESTIMATORS[estimator])


def test_own_class_of_a_user_links_nowhere():
    assert Derived()._get_doc_link() == ""
    assert not any("skelmo" in link for link in links(Derived()))
    # Not even if it is called the same.
    same = type("ElmoVectorizer", (ElmoVectorizer,), {"__module__": "elsewhere.skelmo"})
    assert same()._get_doc_link() == ""


def test_class_that_no_package_exports_is_named_by_its_module():
    assert Hidden()._get_doc_link() == f"{PAGES}/skelmo.baselines.glove.Hidden.html"


def test_links_leave_parameters_and_copies_alone():
    estimator = ElmoVectorizer(layers="top")
    assert not any("doc_link" in name for name in vars(estimator))
    assert not any("doc_link" in name for name in estimator.get_params())
