"""The command line in this process: help, errors and the commands that print."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_models import assert_same_model, tiny_model

import skelmo
from skelmo import ElmoLanguageModel, inspect_text
from skelmo.cli import compare as compare_command
from skelmo.cli import main
from skelmo.cli.arguments import make_parser
from skelmo.pretrained import registry
from skelmo.pretrained.bilm_format import read_bilm, write_bilm
from skelmo.pretrained.safetensors_format import read_model, write_model

COMMANDS = (
    "train", "evaluate", "encode", "convert", "compare", "classify", "info", "inspect",
)  # fmt: skip


@pytest.fixture
def said(capsys):
    """Return a function from arguments to what the command prints."""

    def said(*arguments):
        assert main([str(argument) for argument in arguments]) == 0
        out, errors = capsys.readouterr()
        assert errors == ""
        return out

    return said


def test_help_names_the_commands_and_exit_codes(said):
    text = said("--help")
    for command in COMMANDS:
        assert f"\n    {command} " in text
    assert "exit codes: 0 done, 1 error, 2 wrong command line, 130 interrupted" in text
    assert said("--version") == f"skelmo {skelmo.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_examples_that_parse(said, command):
    text = said(command, "--help")
    examples = text[text.index("\nexamples:\n") :].replace("\\\n", " ")
    lines = re.findall(r"\bskelmo (.+)", examples)
    assert len(lines) >= 2
    for line in lines:
        words = shlex.split(line.partition(" | ")[0])
        assert words[0] == command
        make_parser().parse_args(words)


WRONG = {
    "no command": ([], 2, "the following arguments are required: COMMAND. See skelmo "
                   "--help"),
    "option": (["info", "m", "--loud"], 2, "unrecognized arguments: --loud. See skelmo "
               "--help"),
    "layers": (["encode", "a.csv", "a.npy", "--model", "m", "--layers", "learned"], 2,
               "argument --layers: must be mean, top, concat or numbers such as 2 or "
               "0,2, got 'learned'. See skelmo encode --help"),
    "pooling": (["encode", "a.csv", "a.npy", "--model", "m", "--pooling", "sum"], 2,
                "argument --pooling: must be one of mean, max, min, last, std, or "
                "several as in mean,max, got 'sum'. See skelmo encode --help"),
    "threads": (["encode", "a.csv", "a.npy", "--model", "m", "--threads", "0"], 2,
                "argument --threads: must be a number from 1 on, got '0'. See skelmo "
                "encode --help"),
    "separator": (["encode", "a.csv", "a.npy", "--separator", ";;"], 2,
                  "argument --separator: must be one character such as ; or |, or the "
                  "word tab, got ';;'. See skelmo encode --help"),
    "minutes": (["train", "a.txt", "--out", "m", "--checkpoint-every", "0"], 2,
                "argument --checkpoint-every: must be a number above 0, got '0'. See "
                "skelmo train --help"),
    "output": (["encode", "a.csv", "a.txt", "--model", "m"], 2,
               "a.txt: features are written to .npy, .npz, .csv, .parquet. Give a name "
               "that ends so, or --to."),
    "keep": (["encode", "a.csv", "a.npy", "--model", "m", "--keep", "b"], 2,
             "a.npy: npy holds numbers alone. Leave out --keep, or write csv or "
             "parquet."),
    "directory": (["encode", "a.csv", "b/a.npy", "--model", "m"], 1,
                  "b: no such directory. Make it, or write elsewhere."),
    "file": (["encode", "a.csv", "a.npy", "--model", "m"], 1,
             "a.csv: no such file. Check the path."),
    "inspected file": (["inspect", "a.csv"], 1, "a.csv: no such file. Check the path."),
    "evaluated file": (["evaluate", "m", "a.csv"], 1,
                       "a.csv: no such file. Check the path."),
    "model": (["info", "m"], 1, "No language model 'm': it is neither a bundled name "),
    "mistyped": (["info", "originals"], 1, "No language model 'originals': it is "),
    "converted": (["convert", "m", "n"], 1, "No language model 'm': it is neither "),
    "dtype": (["convert", "m", "n", "--to", "allennlp", "--dtype", "float16"], 2,
              "--to allennlp holds float32. Leave out --dtype float16."),
    "format": (["convert", "m", "n", "--to", "onnx"], 2,
               "argument --to: invalid choice: 'onnx' (choose from "),
    "page": (["compare", "a.csv", "--text", "a", "--label", "b", "--out", "x/y"], 1,
             "x: no such directory. Make it, or write elsewhere."),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_a_line(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, code, message = WRONG[case]
    assert main(arguments) == code
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith(f"skelmo: error: {message}")
    assert errors.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(capsys):
    assert main(["info", "nowhere", "--debug"]) == 1
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_an_error_of_our_own_says_where_to_look(model_path, monkeypatch, capsys):
    def fail(path):
        raise KeyError("x")

    monkeypatch.setattr(registry, "load", fail)
    assert main(["info", model_path]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: KeyError: 'x' (--debug shows where)\n"
    )


def test_evaluate_gives_the_perplexity_of_python(said, model_path, corpus_path, texts):
    expected = ElmoLanguageModel.load(model_path).perplexity(texts)
    found = json.loads(said("evaluate", model_path, corpus_path, "--json"))
    assert found["perplexity_forward"] == expected.forward
    assert found["perplexity_backward"] == expected.backward
    assert found["perplexity"] == expected.mean
    tokens = [t for text in texts for s in skelmo.split_sentences(text)
              for t in skelmo.tokenize(s)]  # fmt: skip
    assert found["documents"] == len(texts)
    assert found["tokens"] == len(tokens)
    known = set(ElmoLanguageModel.load(model_path).vocabulary_)
    unknown = sum(token not in known for token in tokens) / len(tokens)
    assert found["unknown_share"] == pytest.approx(unknown, abs=1e-12)
    assert said("evaluate", model_path, corpus_path) == (
        f"documents            {len(texts)}\n"
        f"tokens               {len(tokens):,}\n"
        f"unknown              {unknown:.2%}\n"
        f"perplexity, forward  {expected.forward:.2f}\n"
        f"perplexity, backward {expected.backward:.2f}\n"
        f"perplexity, mean     {expected.mean:.2f}\n"
    )


def test_evaluate_needs_tokens_and_a_softmax(model_path, tmp_path, capsys):
    blank, bare = tmp_path / "blank.txt", tmp_path / "bare"
    blank.write_text("\n\n")
    write_model(tiny_model(), bare)
    assert main(["evaluate", model_path, str(blank)]) == 1
    assert main(["evaluate", str(bare), str(blank)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"skelmo: error: {blank} holds no token. Give a file of texts.",
        "skelmo: error: ElmoLanguageModel needs a softmax to give likelihoods, but the "
        "files it was read from hold none: they suffice for features only. Train a "
        "model with fit.",
    ]


def test_info_describes_a_model(said, model_path, language_model):
    found = json.loads(said("info", model_path, "--json"))
    state = language_model.network_.state_dict()
    assert found["weights"] == sum(tensor.numel() for tensor in state.values())
    assert found["vocabulary"] == len(language_model.vocabulary_)
    assert found["architecture"]["hidden_size"] == 16
    assert found["training"]["n_epochs"] == 1
    text = said("info", model_path)
    quality = language_model.history_[0].validation_perplexity
    assert re.search(r"^LSTM +2 layers of 16/8 in each direction$", text, re.M)
    assert re.search(r"^characters +50 of a token, filters 4 of 1, 4 of 2$", text, re.M)
    assert f"validation perplexity {quality:.1f} (forward " in text


def test_info_knows_little_of_a_foreign_model(said, tmp_path):
    write_bilm(tiny_model(), tmp_path / "m")
    text = said("info", tmp_path / "m")
    assert re.search(r"^vocabulary +none$", text, re.M)
    assert "trained" not in text


MANY_LANGS = Path(__file__).parent / "data" / "many_langs"


def test_info_and_convert_know_models_of_other_languages(said, tmp_path):
    source, own, again = MANY_LANGS / "words", tmp_path / "own", tmp_path / "again"
    text = said("info", source)
    assert re.search(r"^characters +none: words alone$", text, re.M)
    assert re.search(r"^word embedding +13 words of 5$", text, re.M)
    text = said("info", MANY_LANGS / "words-characters")
    filters = "filters 4 of 1, 3 of 2, 5 of 3, 4 of 5, 6 of 7"
    known = registry.load(MANY_LANGS / "words-characters").alphabet
    line = (
        rf"^characters +50 of a token, {filters}; {len(known)} code points are known$"
    )
    assert re.search(line, text, re.M)
    said("convert", source, own)
    assert_same_model(read_model(own), registry.load(source))
    said("convert", own, again, "--to", "elmoformanylangs")
    assert_same_model(registry.load(again), registry.load(source))


def test_convert_there_and_back(said, model_path, tmp_path, capsys):
    half, foreign, back = (tmp_path / name for name in ("half", "foreign", "back"))
    text = said("convert", model_path, half, "--dtype", "float16")
    assert re.fullmatch(rf"{re.escape(str(half))}: skelmo, float16, 0\.\d MB\n", text)
    original, found = read_model(model_path), read_model(half)
    assert found.vocabulary == original.vocabulary
    for name, array in original.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], np.float32(np.float16(array)))
    assert main(["convert", model_path, str(foreign), "--to", "allennlp"]) == 0
    assert capsys.readouterr().err == (
        f"skelmo: the allennlp format has no place for softmax, vocabulary and "
        f"settings: {foreign} gives features, but no perplexity.\n"
    )
    said("convert", foreign, back)
    assert_same_model(read_model(back), read_bilm(foreign))


def test_convert_does_not_replace_a_model(said, model_path, tmp_path, capsys):
    said("convert", model_path, tmp_path)
    assert main(["convert", model_path, str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {tmp_path} holds a model. Give another directory, or --force "
        f"to replace it.\n"
    )
    said("convert", model_path, tmp_path, "--force")


def test_inspect_prints_the_report(said, texts, tmp_path):
    path = tmp_path / "in.csv"
    values = [*texts, None, "a <br> b", "bad \x00 text"]
    pd.DataFrame({"n": 1, "text": values}).to_csv(path, index=False)
    expected = str(inspect_text(values))
    assert "set missing='empty' or 'nan'." in expected
    expected = expected.replace("missing='empty' or 'nan'", "--missing empty or nan")
    assert said("inspect", path, "--column", "2") == f"{expected}\n"


def test_inspect_with_a_model(said, model_path, corpus_path):
    text = said("inspect", corpus_path, "--model", model_path)
    assert "\nunseen in training " in text
    assert "\ntime to encode " in text


def test_compare_writes_a_page(said, model_path, texts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = ["a" if " cat" in text else "b" for text in texts]
    pd.DataFrame({"body": texts, "y": labels}).to_csv("in.csv", index=False)
    text = said("compare", "in.csv", "--text", "body", "--label", "y", "--folds", "2",
                "--representations", "tfidf", "--model", model_path, "--all-labels",
                "--out", "page.html")  # fmt: skip
    assert text.endswith("\npage.html: the page\n")
    page = (tmp_path / "page.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "tfidf" in page
    assert f"elmo-{model_path}" in page
    expected = compare_command.compare(
        texts, labels, representations="tfidf", cv=2, label_counts=None, verbose=0
    )
    assert f"{expected.table['accuracy'].iloc[0]:.3f}" in page


def test_compare_interrupted_says_what_is_kept(tmp_path, monkeypatch, capsys):
    def stop(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_command, "compare", stop)
    path, page = tmp_path / "in.csv", tmp_path / "page.html"
    path.write_text("a,b\nx,1\n")
    command = ["compare", str(path), "--text", "a", "--label", "b", "--out", str(page)]
    assert main(command) == 130
    assert main([*command, "--cache", "kept"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "skelmo: interrupted. Without --cache no result is kept.",
        "skelmo: interrupted. The same command takes what is done from kept.",
    ]


def test_threads_are_limited_in_the_command_alone():
    import torch

    from skelmo.cli.threads import limited_threads

    before = torch.get_num_threads()
    with limited_threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_progress_is_for_terminals(
    model_path, corpus_path, tmp_path, monkeypatch, capsys
):
    command = ["encode", corpus_path, str(tmp_path / "a.npy"), "--model", model_path]
    command += ["--force", "--batch", "50"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "encode: 100%|" in said
    assert " 120 of 120 rows [" in said
