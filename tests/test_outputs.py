"""Where features go: stdout, files that are there, and a row for each token."""

import io
import sys

import numpy as np
import pandas as pd
import pytest

from skelmo import ElmoVectorizer
from skelmo.cli import main


@pytest.fixture
def encode(corpus_path, model_path):
    """Return a function that runs the command on 120 lines of text."""

    def encode(out, *options, source=corpus_path):
        given = ["--batch", "50", "--model", model_path]
        return main(["encode", str(source), str(out), *given, *options])

    return encode


def test_no_file_is_replaced_unasked(encode, tmp_path, capsys):
    out = tmp_path / "out.npy"
    out.write_bytes(b"precious")
    assert encode(out) == 1
    assert capsys.readouterr() == (
        "",
        f"skelmo: error: {out} exists. Give another file, or --force to replace it.\n",
    )
    assert out.read_bytes() == b"precious"
    assert encode(out, "--force") == 0
    assert np.load(out).shape == (120, 96)
    page = tmp_path / "page.html"
    page.write_text("precious")
    command = ["compare", str(out), "--text", "a", "--label", "b", "--out", str(page)]
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {page} exists. Give another file, or --force to replace it.\n"
    )


@pytest.mark.parametrize("format", ["csv", "npy", "npz", "parquet"])
def test_stdout_gets_the_bytes_of_the_file(
    encode, tmp_path, monkeypatch, format, capsys
):
    out = tmp_path / f"out.{format}"
    keep = ["--keep", "1"] if format in ("csv", "parquet") else []
    assert encode(out, *keep) == 0
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert encode("-", *([] if format == "csv" else ["--to", format]), *keep) == 0
    assert stream.buffer.getvalue() == out.read_bytes()
    said = capsys.readouterr().err
    assert said.startswith("skelmo: stdout: 120 rows, 96 features")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_name_need_not_tell_the_format(encode, tmp_path):
    assert encode(tmp_path / "out.csv", "--to", "npy") == 0
    assert np.load(tmp_path / "out.csv").shape == (120, 96)


def test_numbers_are_not_for_terminals(encode, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert encode("-", "--to", "npz") == 2
    assert capsys.readouterr().err == (
        "skelmo: error: npz is nothing to read in a terminal. Give a file, pipe it, or "
        "write csv.\n"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["train", "-", "-", "--format", "txt", "--out", "m"],
         "stdin can be read once. Name it once."),
        (["train", "{corpus}", "--out", "-"],
         "A model is a directory, and cannot go to stdout. Name one."),
        (["convert", "{model}", "-", "--force"],
         "A model is a directory, and cannot go to stdout. Name one."),
        (["encode", "{corpus}", "a.npz", "--tokens"],
         "a.npz: npz holds numbers alone. Leave out --tokens, or write csv or "
         "parquet."),
        (["encode", "{corpus}", "a.csv", "--tokens", "--pooling", "max"],
         "--tokens does not pool. Leave out --pooling."),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(
    corpus_path, model_path, tmp_path, monkeypatch, capsys, command, message
):
    monkeypatch.chdir(tmp_path)
    given = [word.format(corpus=corpus_path, model=model_path) for word in command]
    assert main(given) == 2
    assert capsys.readouterr().err == f"skelmo: error: {message}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layers", ["concat", "top", "mean", "0,-1"])
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_tokens_are_those_of_transform_tokens(
    encode, model_path, texts, tmp_path, layers, format
):
    source, out = tmp_path / "in.csv", tmp_path / f"out.{format}"
    values = [*texts[:60], None, "", *texts[60:]]
    ids = [f"no {k}" for k in range(len(values))]
    pd.DataFrame({"id": ids, "text": values}).to_csv(source, index=False)
    given = ["--column", "text", "--keep", "id", "--missing", "empty"]
    assert encode(out, "--tokens", "--layers", layers, *given, source=source) == 0
    found = (pd.read_csv if format == "csv" else pd.read_parquet)(out)
    choice = [0, -1] if layers == "0,-1" else layers
    vectorizer = ElmoVectorizer(
        language_model=model_path, layers=choice, missing="empty", cache=None
    ).fit(["a"])
    tokens, vectors = vectorizer.tokenize(values), vectorizer.transform_tokens(values)
    assert found.columns[:4].tolist() == ["id", "document", "position", "token"]
    expected = [
        [f"no {d}", d, k, token]
        for d, words in enumerate(tokens)
        for k, token in enumerate(words)
    ]
    assert found.iloc[:, :4].to_numpy().tolist() == expected
    np.testing.assert_allclose(
        found.iloc[:, 4:].to_numpy(np.float32),
        np.concatenate(vectors),
        rtol=0,
        atol=1e-5,
    )
    names = vectorizer.set_params(pooling="mean").fit(["a"]).get_feature_names_out()
    assert found.columns[4:].tolist() == [n.replace("_mean_", "_", 1) for n in names]


def test_tokens_are_taken_up(encode, tmp_path, monkeypatch):
    from skelmo.cli import parts

    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    assert encode(whole, "--tokens") == 0
    append = parts.PartFile.append

    def stop(self, *given):
        append(self, *given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(parts.PartFile, "append", stop)
        assert encode(out, "--tokens") == 130
    assert encode(out, "--tokens") == 0
    assert out.read_bytes() == whole.read_bytes()


def test_no_column_stands_twice(encode, texts, tmp_path, capsys):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    pd.DataFrame({"token": ["x"], "text": texts[:1]}).to_csv(source, index=False)
    given = ["--column", "text", "--keep", "token"]
    assert encode(out, "--tokens", *given, source=source) == 1
    assert capsys.readouterr().err == (
        f"skelmo: error: {source}: the column 'token' would stand twice in the output. "
        f"Rename it, or keep it once.\n"
    )
    assert encode(out, *given, source=source) == 0
