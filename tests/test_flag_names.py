"""Messages of the library say what a shell's user has to change."""

import re

import pytest

from skelmo import ElmoClassifier, ElmoLanguageModel, ElmoVectorizer
from skelmo.cli import main
from skelmo.cli.arguments import make_parser
from skelmo.cli.flag_names import in_flags
from skelmo.cli.model_parameters import (
    CLASSIFIER,
    CLASSIFIER_ELSEWHERE,
    CLASSIFIER_SETTABLE,
    ELSEWHERE,
    LANGUAGE_MODEL,
    SETTABLE,
    flag_of,
)

ALONE = ("tokenizer", "input", "warm_start", "verbose")  # of Python


@pytest.mark.parametrize(
    ("estimator", "tables", "alone"),
    [
        (ElmoLanguageModel, (LANGUAGE_MODEL, ELSEWHERE, SETTABLE), ALONE),
        (
            ElmoClassifier,
            (CLASSIFIER, CLASSIFIER_ELSEWHERE, CLASSIFIER_SETTABLE),
            (*ALONE, "store_weights"),
        ),
    ],
)
def test_every_parameter_has_a_flag_or_none_at_all(estimator, tables, alone):
    known = set(estimator._get_param_names())
    named = [name for table in (*tables, alone) for name in table]
    assert set(named) == known
    assert len(named) == len(known)


@pytest.mark.parametrize("name", CLASSIFIER)
def test_help_tells_the_defaults_of_the_classifier(name):
    assert ElmoClassifier().get_params()[name] == CLASSIFIER[name].default


def flags_of(command):
    parser = make_parser()
    (commands,) = (a for a in parser._actions if hasattr(a, "choices") and a.choices)
    actions = commands.choices[command]._actions
    return {flag for action in actions for flag in action.option_strings}


PARAMETERS = {
    "train": {
        **{name: flag_of(name) for name in LANGUAGE_MODEL},
        **{name: f"--set {name}" for name in SETTABLE},
        **ELSEWHERE,
    },
    "encode": {
        "language_model": "--model", "max_batch_tokens": "--batch",
        "layers": "--layers", "pooling": "--pooling", "missing": "--missing",
        "precision": "--precision", "device": "--device",
    },
    "evaluate": {"missing": "--missing"},
    "compare": {
        "representations": "--representations", "classifier": "--classifier",
        "cv": "--folds", "cache": "--cache", "random_state": "--seed",
        "language_model": "--model",
    },
    "classify": {
        **{name: flag_of(name) for name in CLASSIFIER},
        **{name: f"--set {name}" for name in CLASSIFIER_SETTABLE},
        **CLASSIFIER_ELSEWHERE,
    },
    "convert": {"dtype": "--dtype"},
    "inspect": {"language_model": "--model", "missing": "--missing"},
}  # fmt: skip
CASES = [
    (command, *pair) for command in PARAMETERS for pair in PARAMETERS[command].items()
]


@pytest.mark.parametrize(("command", "name", "flag"), CASES)
def test_parameters_become_flags(command, name, flag):
    # What is inspected is to be encoded.
    assert flag.split()[0] in flags_of(command) | flags_of("encode")
    space = "=" if flag.startswith("--set") else " "
    for said, expected in {
        f"The '{name}' parameter of Owner must be x. Got 1 instead.":
            f"{flag} must be x. Got 1 instead.",
        f"Fill it in, or set {name}='mean'.":
            f"Fill it in, or set {flag}{space}mean.",
        f"it ({name}=0.5); lower it.": f"it ({flag}{space}0.5); lower it.",
        f"{name}=-3, or {name}=1e-5.": f"{flag}{space}-3, or {flag}{space}1e-5.",
        f"Go on. Set {name}=None.": f"Go on. Leave out {flag}.",
        # Names of the user's own are nobody's parameters.
        f"/a/{name}.txt: no such file.": f"/a/{name}.txt: no such file.",
        f"it has no column '{name}'.": f"it has no column '{name}'.",
    }.items():  # fmt: skip
        found = in_flags(said, command)
        assert found.replace("'", "") == expected.replace("'", ""), said
    if "_" in name:
        said = f"Lower {name}, or raise {name}."
        assert in_flags(said, command) == f"Lower {flag}, or raise {flag}."


@pytest.mark.parametrize("name", [*LANGUAGE_MODEL, *SETTABLE])
def test_wrong_values_are_told_by_their_flags(name, corpus_path, tmp_path, capsys):
    given = ["--set", f"{name}={{}}"]
    if name in LANGUAGE_MODEL:
        parameter = LANGUAGE_MODEL[name]
        given = [flag_of(name), "-1" if parameter.kind is not str else "none such"]
    code = main(["train", corpus_path, "--out", str(tmp_path / "m"), *given])
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert said.count("\n") == 1
    if name not in ("init", "init_word_vectors"):  # which name the file
        assert re.search(rf"(--set {name}|{flag_of(name)})\b", said)
    assert not re.search(rf"\b{name}=|'{name}'|parameter of", said.replace(
        f"--set {name}=", ""))  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [*CLASSIFIER, *CLASSIFIER_SETTABLE])
def test_wrong_values_of_classifiers_are_told_by_their_flags(
    name, model_path, tmp_path, capsys
):
    source, given = tmp_path / "in.csv", ["--set", f"{name}={{}}"]
    source.write_text("a,b\nx,1\ny,2\n")
    if name in CLASSIFIER:
        kind = CLASSIFIER[name].kind
        given = [flag_of(name), "-1" if kind is not str else "none such"]
    columns = ["--text", "a", "--label", "b", "--model", model_path]
    command = ["classify", str(source), *columns, "--test", str(source)]
    code = main([*command, *given])
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert said.count("\n") == 1
    assert re.search(rf"(--set {name}|{flag_of(name)})\b", said)
    assert not re.search(rf"\b{name}=|'{name}'|parameter of", said.replace(
        f"--set {name}=", ""))  # fmt: skip


def test_what_parameters_need_of_each_other(corpus_path, tmp_path, capsys):
    command = ["train", corpus_path, "--out", str(tmp_path / "m")]
    assert main([*command, "--set", "tie_weights=True"]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: --set tie_weights=True of ElmoLanguageModel needs "
        "--word-embedding-dim equal to --proj-size, got 0 and 128. Set "
        "--word-embedding-dim 128, or --set tie_weights=False.\n"
    )
    vectors = tmp_path / "v.txt"
    vectors.write_text("a 1 2\n")
    assert main([*command, "--init-word-vectors", str(vectors)]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: --init-word-vectors of ElmoLanguageModel needs a word-level "
        "embedding, got --word-embedding-dim 0. Set it to the size of the vectors.\n"
    )


def test_encoding_speaks_of_flags(corpus_path, model_path, tmp_path, capsys):
    command = ["encode", corpus_path, str(tmp_path / "a.npy"), "--model", model_path]
    assert main([*command, "--layers", "7"]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: --layers must name different layers of this language model, 0 "
        "to 2 or -3 to -1, or be 'mean', 'top', 'concat' or 'learned'. Got 7 instead.\n"
    )
    assert main([*command, "--device", "none"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("skelmo: error: --device none cannot be used here: ")
    assert said.endswith(" Set --device auto or --device cpu.\n")


def test_comparing_and_inspecting_speak_of_flags(tmp_path, capsys):
    source, page = tmp_path / "in.csv", tmp_path / "page.html"
    source.write_text("a,b\nx,1\ny,2\nz,\n")
    command = [
        "compare",
        str(source),
        "--text",
        "a",
        "--label",
        "b",
        "--out",
        str(page),
    ]
    assert main([*command, "--representations", "tfidf"]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: compare needs a label for every document, but 1 of 3 are "
        "missing, the first in row 2 of --label. Drop these documents.\n"
    )
    source.write_text("a,b\nx,1\ny,2\n")
    assert main([*command, "--representations", "tfidf"]) == 1
    said = capsys.readouterr().err
    assert "needs at least --folds 5 documents of each class" in said
    assert "Lower --folds, or drop or merge rare classes.\n" in said
    source.write_text('a\nx\n""\n')
    assert main(["inspect", str(source)]) == 0
    assert "or set --missing empty or nan." in capsys.readouterr().out


def test_the_default_of_pooling_is_that_of_the_class():
    from skelmo.cli.arguments import DEFAULT_POOLING

    assert ElmoVectorizer().pooling == DEFAULT_POOLING
