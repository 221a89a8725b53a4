"""`skelmo classify` against the classifier that Python makes of the same texts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from child_processes import started, wait_for
from sklearn.metrics import classification_report, confusion_matrix

from skelmo import ElmoClassifier
from skelmo.cli import classify, main

FLAGS = ["--head", "linear", "--tune", "none", "--max-iter", "3", "--set",
         "learning_rate_init=0.05"]  # fmt: skip
GIVEN = {"head": "linear", "tune": "none", "max_iter": 3, "learning_rate_init": 0.05}


@pytest.fixture(scope="module")
def table(texts):
    """Return texts with what they are about, which is a word of each."""
    words = ("letter", "moon", "boats")
    topic = [next((w for w in words if w in text), "none") for text in texts]
    return pd.DataFrame({"id": range(len(texts)), "body": texts, "topic": topic})


@pytest.fixture
def files(table, tmp_path, monkeypatch):
    """Write a part to train on and a part to test on; return the second."""
    monkeypatch.chdir(tmp_path)
    table[:80].to_csv("train.csv", index=False)
    table[80:].to_csv("test.csv", index=False)
    return table[80:]


@pytest.fixture
def python(table, model_path):
    """Return the classifier as Python fits it."""
    classifier = ElmoClassifier(model_path, random_state=0, **GIVEN)
    return classifier.fit(table["body"][:80], table["topic"][:80])


@pytest.fixture
def command(model_path):
    columns = ["--text", "body", "--label", "topic", "--model", model_path]
    return ["classify", "train.csv", *columns, *FLAGS]


def run(capsys, command, *more):
    assert main([*command, *map(str, more)]) == 0
    return capsys.readouterr()


def test_the_report_is_that_of_scikit_learn(capsys, command, files, python):
    predicted = python.predict(files["body"])
    expected = classification_report(
        files["topic"], predicted, output_dict=True, zero_division=0
    )
    said = run(capsys, command, "--test", "test.csv")
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith("train.csv: 80 rows, 4 classes; 3 epochs, ")
    assert lines[1:3] == ["test.csv: 40 rows", f"accuracy {expected['accuracy']:.3f}"]
    macro = expected["macro avg"]
    numbers = [f"{macro[k]:.3f}" for k in ("precision", "recall", "f1-score")]
    assert lines[9].split() == ["macro", "mean", *numbers, "40"]
    said = run(capsys, command, "--test", "test.csv", "--json")
    found = json.loads(said.out)
    assert found["confusion"] == confusion_matrix(files["topic"], predicted).tolist()
    assert found["macro"]["f1"] == pytest.approx(macro["f1-score"])
    assert found["rows"] == 40
    assert said.err.startswith("skelmo: train.csv: 80 rows, ")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predictions_stand_beside_what_is_kept(
    capsys, command, files, python, ending, monkeypatch
):
    monkeypatch.setattr(classify, "BATCH", 16)
    files.to_parquet("new.parquet")
    to = ["--predict", "new.parquet", "--out", f"out.{ending}", "--keep", "id", "body"]
    said = run(capsys, command, *to, "--probabilities")
    assert said.out.endswith(f"\nout.{ending}: 40 rows predicted\n")
    read = pd.read_csv if ending == "csv" else pd.read_parquet
    found = read(f"out.{ending}")
    shares = python.predict_proba(files["body"])
    names = [f"probability_{name}" for name in python.classes_]
    assert list(found) == ["id", "body", "predicted", "probability", *names]
    assert found["id"].tolist() == files["id"].tolist()
    assert found["body"].tolist() == files["body"].tolist()
    assert found["predicted"].tolist() == python.predict(files["body"]).tolist()
    np.testing.assert_allclose(found[names], shares, atol=1e-5)
    np.testing.assert_allclose(found["probability"], shares.max(axis=1), atol=1e-5)
    names = {"train.csv", "test.csv", "new.parquet", f"out.{ending}"}
    assert {path.name for path in Path().iterdir()} == names


def test_predictions_go_to_stdout(capsys, command, files, python):
    files["body"].to_csv("new.txt", index=False, header=False, sep="\t", quoting=3)
    said = run(capsys, command, "--predict", "new.txt", "--out", "-")
    lines = said.out.splitlines()
    assert lines[0] == "predicted,probability"
    expected = python.predict(files["body"]).tolist()
    assert [line.partition(",")[0] for line in lines[1:]] == expected
    assert said.err.splitlines()[1] == "skelmo: stdout: 40 rows predicted"


def test_a_table_without_rows_gives_a_head_alone(capsys, command, files):
    files[:0].to_csv("none.csv", index=False)
    run(capsys, command, "--predict", "none.csv", "--out", "out.csv", "--keep", "id")
    assert Path("out.csv").read_text() == "id,predicted,probability\n"
    assert main([*command, "--test", "none.csv"]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: none.csv holds no row. Give a file with texts.\n"
    )


def test_more_texts_are_read_first(capsys, command, files, monkeypatch):
    seen = []

    def fit(self, X, y, unlabeled=None):
        seen.append((self.adapt_epochs, list(unlabeled)))
        raise ValueError("enough")

    monkeypatch.setattr(ElmoClassifier, "fit", fit)
    files.assign(body=[None, *files["body"][1:]]).to_csv("more.csv", index=False)
    more = ["--test", "test.csv", "--unlabeled", "more.csv", "--adapt-epochs", "2"]
    assert main([*command, *more]) == 1
    assert seen == [(2, files["body"].tolist()[1:])]


def test_rows_without_a_text_or_a_label_are_refused_or_skipped(capsys, command, files):
    bad = files.astype({"body": object}).reset_index(drop=True)
    bad.loc[1, "topic"] = None
    bad.loc[3, "body"] = None
    bad.to_csv("bad.csv", index=False)
    assert main([*command, "--test", "bad.csv"]) == 1
    assert capsys.readouterr().err.endswith(
        "skelmo: error: bad.csv: line 3 has no value in column 'topic'. Fill it in, "
        "drop the row, or pass over such rows by --on-error skip.\n"
    )
    more = ["--test", "bad.csv", "--on-error", "skip"]
    said = run(capsys, command, *more)
    assert "\nbad.csv: 38 rows\n" in said.out
    assert said.err == (
        "skelmo: 2 rows skipped: bad.csv: line 3 has no value in column 'topic'; "
        "bad.csv: line 5 has no text in column 'body'.\n"
    )
    more = ["--predict", "bad.csv", "--out", "out.csv", "--on-error", "skip"]
    said = run(capsys, command, *more)
    assert said.err == "skelmo: 1 row skipped, listed in out.csv.skipped.csv.\n"
    assert len(pd.read_csv("out.csv")) == 39
    more = ["--predict", "bad.csv", "--out", "new.csv", "--missing", "empty"]
    run(capsys, command, *more)
    assert len(pd.read_csv("new.csv")) == 40


def test_nothing_is_replaced_without_force(capsys, command, files):
    Path("out.csv").write_text("old")
    more = ["--predict", "test.csv", "--out", "out.csv"]
    assert main([*command, *more]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: out.csv exists. Give another file, or --force to replace it.\n"
    )
    run(capsys, command, *more, "--force")
    assert len(pd.read_csv("out.csv")) == 40


def test_what_fails_leaves_the_old_file(capsys, command, files, monkeypatch):
    Path("out.csv").write_text("old")

    def stop(self, X):
        raise KeyboardInterrupt

    monkeypatch.setattr(ElmoClassifier, "predict_proba", stop)
    more = ["--predict", "test.csv", "--out", "out.csv", "--force"]
    assert main([*command, *more]) == 130
    assert capsys.readouterr().err == (
        "skelmo: interrupted. Without --checkpoint nothing is kept.\n"
    )
    assert main([*command, *more, "--checkpoint", "kept"]) == 130
    assert capsys.readouterr().err == (
        "skelmo: interrupted. The same command goes on from the last checkpoint in "
        "kept.\n"
    )
    assert Path("out.csv").read_text() == "old"
    assert [path.name for path in Path().iterdir() if "out" in path.name] == ["out.csv"]


@pytest.mark.slow
def test_a_killed_command_goes_on_to_the_same_predictions(files, model_path):
    command = ["classify", "train.csv", "--text", "body", "--label", "topic",
               "--model", model_path, "--max-iter", "60", "--set",
               "checkpoint_every=1e-3", "--predict", "test.csv", "--probabilities",
               "--out"]  # fmt: skip
    child = started(*command, "out.csv", "--checkpoint", "kept")
    wait_for(child, lambda: list(Path().glob("kept/*/[!.]*")))  # a whole one
    child.kill()
    child.communicate()
    assert child.returncode == -9
    assert not Path("out.csv").exists()
    for more in (["out.csv", "--checkpoint", "kept"], ["expected.csv"]):
        child = started(*command, *more)
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    assert Path("out.csv").read_text() == Path("expected.csv").read_text()


CONTRADICTIONS = {
    "nothing": ([], "Nothing would be made of it. Give --test, --predict or both."),
    "out": (["--predict", "b.csv"], "--predict needs a file to write. Give --out."),
    "predict": (["--test", "b.csv", "--out", "c.csv"],
                "--out is for --predict. Give that, too."),
    "keep": (["--test", "b.csv", "--keep", "id"],
             "--keep is for --predict. Give that, too."),
    "probabilities": (["--test", "b.csv", "--probabilities"],
                      "--probabilities is for --predict. Give that, too."),
    "json": (["--predict", "b.csv", "--out", "c.csv", "--json"],
             "--json is for the report. Give --test, too."),
    "stdout": (["--test", "b.csv", "--predict", "b.csv", "--out", "-"],
               "The report and the predictions cannot both go to stdout. Give a file "
               "as --out."),
    "unlabeled": (["--test", "b.csv", "--unlabeled", "c.csv"],
                  "--unlabeled is read in the passes of --adapt-epochs. Give that, "
                  "too."),
    "ending": (["--predict", "b.csv", "--out", "c.npy"],
               "c.npy: predictions are written to .csv or .parquet. Give a name that "
               "ends so."),
    "model": (["--test", "b.csv", "--set", "language_model=en"],
              "--set language_model: this parameter is given by --model."),
    "twice": (["--test", "b.csv", "--set", "dropout=0", "--dropout", "0.1"],
              "--set dropout: it is given twice. Leave one out."),
    "stdin": (["--test", "-", "--predict", "-", "--out", "c.csv"],
              "stdin can be read once. Name it once."),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_contradicts_itself_is_told(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more, message = CONTRADICTIONS[case]
    command = ["classify", "a.csv", "--text", "a", "--label", "b"]
    assert main([*command, *more]) == 2
    assert capsys.readouterr().err == f"skelmo: error: {message}\n"
    assert not list(tmp_path.iterdir())


def test_columns_that_would_stand_twice_are_told(capsys, command, files):
    files.rename(columns={"id": "predicted"}).to_csv("new.csv", index=False)
    more = ["--predict", "new.csv", "--out", "out.csv", "--keep", "predicted"]
    assert main([*command, *more]) == 1
    assert capsys.readouterr().err == (
        "skelmo: error: new.csv: the column 'predicted' would stand twice in the "
        "output. Rename it, or keep it once.\n"
    )
    assert not Path("out.csv").exists()
