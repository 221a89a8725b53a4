"""From an estimator's parameters to what is trained, and how."""

import ast
import inspect
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.estimators.parameters import LANGUAGE_MODEL
from skelmo.nn.bilm import BiLMConfig
from skelmo.training.plan import ARCHITECTURE, Plan, options_from, plan_from
from skelmo.training.state import TrainingOptions

CPU = torch.device("cpu")


def parameters(**changes):
    return {**ElmoLanguageModel(device="cpu").get_params(), **changes}


def test_defaults_are_those_of_the_plan_and_the_options():
    plan = plan_from(parameters(), "Owner")
    assert plan == Plan(BiLMConfig())
    assert options_from(parameters(), 0, CPU) == TrainingOptions()


def test_every_parameter_is_passed_on():
    other = {
        "hidden_size": 7, "proj_size": 6, "num_layers": 3, "cell_clip": None,
        "n_highway": 2, "activation": "tanh", "max_characters": 9, "lowercase": True,
        "word_embedding_dim": 6, "tie_weights": True, "min_count": 4, "dropout": 0.3,
        "init_word_vectors": "a.txt", "checkpoint": "b", "max_vocabulary": None,
    }  # fmt: skip
    plan = plan_from(parameters(**other), "Owner")
    for name, value in other.items():
        holder = plan.config if name in ARCHITECTURE else plan
        assert getattr(holder, name) == value, name
    names = {each.name for each in fields(TrainingOptions)} - {"seed", "precision"}
    marks = {name: object() for name in names}
    options = options_from(parameters(**marks), 5, CPU)
    assert replace(options, **marks) == options
    assert options.seed == 5


def test_all_of_an_architecture_that_a_user_may_choose_is_a_parameter():
    known = set(inspect.signature(ElmoLanguageModel).parameters)
    others = {"n_words", "token_projection", "lstm_projection"}
    others |= {"n_characters", "forget_bias"}  # of the alphabet, of other programs
    assert set(ARCHITECTURE) == {each.name for each in fields(BiLMConfig)} - others
    assert set(ARCHITECTURE) <= known
    assert known == set(LANGUAGE_MODEL)


def test_what_later_fields_do_not_change_is_told_as_before():
    # Hashes of models and names of runs are made of it.
    earlier = {each.name for each in fields(BiLMConfig) if "later" not in each.metadata}
    assert {*BiLMConfig().told} == earlier
    assert repr(BiLMConfig()).endswith("proj_clip=3.0, skip_connections=True)")
    config = BiLMConfig(characters="codepoints", n_characters=9, forget_bias=False)
    assert {*config.told} - earlier == {"characters", "n_characters", "forget_bias"}
    assert repr(config).endswith(
        "characters='codepoints', n_characters=9, forget_bias=False)"
    )


def test_neither_characters_nor_words_is_refused():
    given = parameters(char_embedding_dim=0)
    message = (
        "Owner reads neither characters nor words, got char_embedding_dim=0 and "
        "word_embedding_dim=0. Set one of them to a size above 0."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        plan_from(given, "Owner")
    words = plan_from({**given, "word_embedding_dim": 3}, "Owner").config
    assert (words.filters, words.word_embedding_dim) == ((), 3)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (((1, 4), (2, 8)), ((1, 4), (2, 8))),
        ([[3, 1]], ((3, 1),)),
        (np.array([[1, 4]]), ((1, 4),)),
    ],
    ids=repr,
)
def test_filters_become_pairs_of_int(filters, expected):
    given = parameters(filters=filters, max_characters=3)
    found = plan_from(given, "Owner").config.filters
    assert found == expected
    assert {type(a) for pair in found for a in pair} == {int}


@pytest.mark.parametrize(
    "filters",
    [
        (),
        [1, 2],
        ((1, 2, 3),),
        ((0, 4),),
        ((1, -4),),
        ((1.5, 4),),
        ((1, float("inf")),),
        ((1, None),),
        ((True, 4),),
        (("1", "4"),),
    ],
    ids=repr,
)
def test_filters_that_are_no_pairs_are_refused(filters):
    message = (
        f"The 'filters' parameter of Owner must be pairs (width, number) of positive "
        f"integers. Got {filters!r} instead."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        plan_from(parameters(filters=filters), "Owner")


@pytest.mark.parametrize(
    "changes",
    [
        {"word_embedding_dim": 5},
        {"word_embedding_dim": 0},
        {"word_embedding_dim": 128, "tie_weights": True},
        {"word_embedding_dim": 8, "init_word_vectors": "vectors.txt"},
        # Whose sizes are those of the model to go on from.
        {"init": "en", "tie_weights": True, "word_embedding_dim": 0},
    ],
    ids=str,
)
def test_what_goes_together_passes(changes):
    plan = plan_from(parameters(**changes), "Owner")
    assert plan.tie_weights == changes.get("tie_weights", False)
    assert plan.config.word_embedding_dim == changes["word_embedding_dim"]


@pytest.mark.parametrize("estimator", [ElmoLanguageModel, ElmoVectorizer])
def test_documented_defaults_are_those_of_the_signature(estimator):
    documented = re.findall(
        r"^(\w+) :(?:.|\\\n|\n(?=default))*?default=(.*)$",
        inspect.getdoc(estimator), re.M,
    )  # fmt: skip
    found = {name: ast.literal_eval(value) for name, value in documented}
    signature = inspect.signature(estimator)
    expected = {n: p.default for n, p in signature.parameters.items()}
    assert found == expected
