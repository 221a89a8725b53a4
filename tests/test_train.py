"""`skelmo train` in this process: parameters, corpora, breaking off, taking up."""

import gzip
import inspect
import json
import re
import signal
from numbers import Integral, Real

import numpy as np
import pandas as pd
import pytest
from sklearn.utils._param_validation import Interval, StrOptions

from skelmo import ElmoLanguageModel
from skelmo.cli import main
from skelmo.cli.model_parameters import LANGUAGE_MODEL
from skelmo.training import checkpoint as checkpoint_module
from skelmo.training.language_modeling import LanguageModeling

TINY = [
    "--hidden-size", "16", "--proj-size", "8", "--set", "char_embedding_dim=4",
    "--set", "filters=((1, 4), (2, 4))", "--max-epochs", "2",
]  # fmt: skip


def weights(path):
    network = ElmoLanguageModel.load(path).network_
    return {name: array.numpy() for name, array in network.state_dict().items()}


def assert_same(path, expected):
    found = weights(path)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def trained(tiny, texts, **parameters):
    given = {**tiny, "max_epochs": 2, **parameters}
    network = ElmoLanguageModel(**given).fit(texts).network_
    return {name: array.numpy() for name, array in network.state_dict().items()}


def test_options_are_parameters_with_their_defaults():
    known = inspect.signature(ElmoLanguageModel).parameters
    for name, parameter in LANGUAGE_MODEL.items():
        assert parameter.default == known[name].default, name


def test_options_have_types_and_choices_of_their_parameters():
    for name, parameter in LANGUAGE_MODEL.items():
        allowed = ElmoLanguageModel._parameter_constraints[name]
        intervals = [each.type for each in allowed if isinstance(each, Interval)]
        strings = [each.options for each in allowed if isinstance(each, StrOptions)]
        kind = {Integral: int, Real: float}[intervals[0]] if intervals else str
        assert parameter.kind is kind, name
        # Beside what else is allowed, a word is one value among many.
        is_closed = bool(strings) and len(allowed) == 1
        choices = None if parameter.choices is None else set(parameter.choices)
        assert choices == (strings[0] if is_closed else None), name
        if parameter.default is not None:
            assert type(parameter.default) is kind, name


def test_a_model_is_that_of_fit(corpus_path, texts, tiny, tmp_path, capsys):
    out = tmp_path / "model"
    assert main(["train", corpus_path, "--out", str(out), *TINY]) == 0
    said, errors = capsys.readouterr()
    assert_same(out, trained(tiny, texts))
    pattern = (
        rf"{re.escape(str(out))}: 2 layers of 16/8, [\d,]+ weights, \d+ words, 0\.\d MB"
        r"\n2 epochs, [\d,]+ tokens, \d+\.\d s, [\d,]+ tokens/s\n"
        r"validation perplexity \d+\.\d \(forward \d+\.\d, backward \d+\.\d\)\n"
    )
    assert re.fullmatch(pattern, said)
    assert errors == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    saved = ElmoLanguageModel.load(out)
    assert saved.checkpoint is None
    best = min(record.validation_perplexity for record in saved.history_)
    assert f"validation perplexity {best:.1f} " in said


def test_corpora_of_several_formats_are_one(texts, tiny, tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.jsonl.gz"
    pd.DataFrame({"n": 1, "text": [*texts[:50], ""]}).to_csv(first, index=False)
    lines = "\n".join(json.dumps({"text": text}) for text in texts[50:])
    second.write_bytes(gzip.compress(lines.encode()))
    out = tmp_path / "model"
    command = ["train", str(first), str(second), "--out", str(out), "--column", "text"]
    assert main([*command, *TINY, "--missing", "empty"]) == 0
    held = [*texts[:50], None, *texts[50:]]
    assert_same(out, trained(tiny, held, missing="empty"))


def test_validation_texts_and_seed(corpus_path, texts, tiny, tmp_path):
    held_out, out = tmp_path / "held.txt", tmp_path / "model"
    held_out.write_text("\n".join(texts[:9]))
    command = ["train", corpus_path, "--out", str(out), "--validation", str(held_out)]
    assert main([*command, *TINY, "--seed", "3"]) == 0
    model = ElmoLanguageModel(**{**tiny, "max_epochs": 2, "random_state": 3})
    model.fit(texts, X_val=texts[:9])
    assert_same(out, {k: v.numpy() for k, v in model.network_.state_dict().items()})


def test_going_on_from_a_model(corpus_path, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["train", corpus_path, "--out", str(first), *TINY]) == 0
    command = ["train", corpus_path, "--out", str(second), "--init", str(first)]
    capsys.readouterr()
    assert main([*command, "--max-epochs", "1", "--dropout", "0"]) == 0
    said = capsys.readouterr().out
    model = ElmoLanguageModel.load(second)
    assert model.init == str(first)
    assert f"\n1 epoch, {model.n_tokens_:,} tokens, " in said


def test_another_model_is_not_replaced(corpus_path, tmp_path, capsys):
    out = tmp_path / "model"
    out.mkdir()
    (out / "config.json").write_text("{}")
    command = ["train", corpus_path, "--out", str(out), *TINY]
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {out} holds a model. Give another directory, or --force to "
        f"replace it.\n"
    )
    assert main([*command, "--force"]) == 0
    assert ElmoLanguageModel.load(out).n_epochs_ == 2


def interrupted(monkeypatch, after):
    """Let Ctrl-C come after so many checkpoints."""
    write, n = checkpoint_module.Checkpointer.write, 0

    def wrapped(self, *given):
        nonlocal n
        write(self, *given)
        n += 1
        if n == after:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint_module.Checkpointer, "write", wrapped)


def test_interrupted_it_goes_on(
    corpus_path, texts, tiny, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "model"
    command = ["train", corpus_path, "--out", str(out), *TINY]
    command += ["--checkpoint-every", "0.000001", "--batch-tokens", "64"]
    with monkeypatch.context() as patch:
        interrupted(patch, 5)
        assert main(command) == 130
    assert not out.exists()
    assert capsys.readouterr().err == (
        f"skelmo: interrupted. The checkpoint of step 5 is in {out}.checkpoints; the "
        f"same command goes on from there.\n"
    )
    steps = []
    take_up = checkpoint_module.Checkpointer.read
    monkeypatch.setattr(
        checkpoint_module.Checkpointer, "read",
        lambda self: steps.append(take_up(self)) or steps[-1],
    )  # fmt: skip
    assert main(command) == 0
    assert steps[0].state["n_steps"] == 5
    assert_same(out, trained(tiny, texts, batch_tokens=64))
    assert not list(tmp_path.glob("*.checkpoints"))


def test_ctrl_c_loses_no_step(corpus_path, texts, tiny, tmp_path, monkeypatch, capsys):
    out, loss, steps = tmp_path / "model", LanguageModeling.loss, []

    def stopping(self, *given):
        steps.append(len(steps))
        if steps[-1] == 7:
            signal.raise_signal(signal.SIGINT)
        return loss(self, *given)

    command = ["train", corpus_path, "--out", str(out), *TINY, "--batch-tokens", "64"]
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModeling, "loss", stopping)
        assert main(command) == 130
    assert capsys.readouterr().err == (
        f"skelmo: interrupted. The checkpoint of step 7 is in {out}.checkpoints; the "
        f"same command goes on from there.\n"
    )
    assert main(command) == 0
    assert_same(out, trained(tiny, texts, batch_tokens=64))


def test_interrupted_before_a_checkpoint(corpus_path, tmp_path, monkeypatch, capsys):
    def stop(self, X, y=None, X_val=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(ElmoLanguageModel, "fit", stop)
    out = tmp_path / "model"
    assert main(["train", corpus_path, "--out", str(out), *TINY]) == 130
    assert capsys.readouterr().err == (
        "skelmo: interrupted. There was no checkpoint yet.\n"
    )
    assert not list(tmp_path.iterdir())


def test_more_time_goes_on(corpus_path, texts, tiny, tmp_path, capsys):
    out = tmp_path / "model"
    command = ["train", corpus_path, "--out", str(out), *TINY]
    assert main([*command, "--max-time", "0.0000001"]) == 0
    assert capsys.readouterr().err == (
        f"skelmo: --max-time was up. With more of it the same command goes on, from "
        f"{out}.checkpoints; delete that directory if this model will do.\n"
    )
    # Another command may not replace what is there.
    assert main([*command, "--seed", "5"]) == 1
    assert main([*command, "--max-time", "10"]) == 0
    assert ElmoLanguageModel.load(out).max_time == 600  # seconds
    assert_same(out, trained(tiny, texts))


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--set", "tol=x"], 1,
         "--set tol must be a float in the range [0.0, inf). Got 'x' instead."),
        (["--set", "depth=3"], 2, "--set depth: no such parameter. Choose among "),
        (["--set", "max_time=3"], 2,
         "--set max_time: this parameter is given by --max-time."),
        (["--hidden-size", "3", "--set", "hidden_size=3"], 2,
         "--set hidden_size: it is given twice. Leave one out."),
        (["--set", "depth"], 2, "argument --set: must be NAME=VALUE, got 'depth'. See "
         "skelmo train --help"),
        (["--max-epochs", "x"], 2, "argument --max-epochs: invalid int value: 'x'. See "
         "skelmo train --help"),
        (["--init", "nowhere"], 1, "No language model 'nowhere': it is neither "),
        (["--validation", "no.txt"], 1, "no.txt: no such file. Check the path."),
    ],
)  # fmt: skip
def test_wrong_options(corpus_path, tmp_path, capsys, options, code, message):
    out = tmp_path / "model"
    assert main(["train", corpus_path, "--out", str(out), *options]) == code
    said = capsys.readouterr().err
    assert said.startswith(f"skelmo: error: {message}")
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_bad_row_names_its_file(tmp_path, capsys):
    source = tmp_path / "in.csv"
    source.write_text("text,b\nA cat.,1\n,2\n")
    command = ["train", str(source), "--column", "text", "--out", str(tmp_path / "m")]
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {source}: line 3 has no text in column 'text'. Fill it in, "
        f"give --missing empty, or pass over such rows by --on-error skip.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]
