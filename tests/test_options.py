"""Tests of the typed options of commands against the command line."""

import dataclasses

import pytest

from skelmo.cli.arguments import make_parser
from skelmo.cli.model_parameters import CLASSIFIER, LANGUAGE_MODEL, flag_of
from skelmo.cli.options import ClassifyOptions, TrainOptions, options_of

LINES = {
    "train": ["a.txt", "b.txt", "--out", "model", "--set", "l1=1e-6"],
    "evaluate": ["model", "a.txt"],
    "encode": ["a.txt", "a.npy"],
    "convert": ["model", "other"],
    "compare": ["a.csv", "--text", "text", "--label", "stars"],
    "classify": ["a.csv", "--text", "text", "--label", "stars"],
    "info": ["model"],
    "inspect": ["a.txt"],
}


@pytest.mark.parametrize("command", LINES)
def test_options_are_all_that_the_line_gives(command):
    arguments = make_parser().parse_args([command, *LINES[command]])
    options = options_of(arguments)
    given = vars(arguments).copy()
    assert given.pop("command") == command
    if command in ("train", "classify"):
        given["parameters"] = {}
    assert vars(options) == given
    assert {field.name for field in dataclasses.fields(options)} == set(given)
    name = next(iter(given))
    with pytest.raises(
        dataclasses.FrozenInstanceError, match=f"^cannot assign to field '{name}'$"
    ):
        setattr(options, name, None)


@pytest.mark.parametrize("name", LANGUAGE_MODEL)
def test_parameters_of_the_model_are_those_given(name):
    parameter = LANGUAGE_MODEL[name]
    text = (parameter.choices or ("3",))[0]
    line = ["train", "a.txt", "--out", "model", flag_of(name), text]
    options = options_of(make_parser().parse_args(line))
    assert isinstance(options, TrainOptions)
    assert options.parameters == {name: parameter.kind(text)}


@pytest.mark.parametrize("name", CLASSIFIER)
def test_parameters_of_the_classifier_are_those_given(name):
    parameter = CLASSIFIER[name]
    text = (parameter.choices or ("3",))[0]
    line = ["classify", "a.csv", "--text", "a", "--label", "b", flag_of(name), text]
    options = options_of(make_parser().parse_args(line))
    assert isinstance(options, ClassifyOptions)
    assert options.parameters == {name: parameter.kind(text)}
