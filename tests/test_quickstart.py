"""Tests of examples/quickstart.py, run as a process as its reader runs it."""

import functools
import importlib.util
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from example_scripts import EXAMPLES, run_example

pytestmark = pytest.mark.slow
SCRIPT = EXAMPLES / "quickstart.py"
WORDS = {
    "film": "the film was a wonderful and moving story with great acting",
    "money": "stocks fell as banks raised their interest rates on monday",
}


run = functools.partial(run_example, SCRIPT)


def scores(output):
    """Return the rows of the printed table as lists of float, by name."""
    names = "ELMo", "TF-IDF", "ELMo + TF-IDF", "most frequent"
    rows = re.findall(r"^([A-Za-z+ -]+?)((?: +[\d.e-]+){4,5})$", output, re.MULTILINE)
    assert tuple(name for name, _ in rows) == names
    return {name: [float(value) for value in values.split()] for name, values in rows}


def matrix(output, n_classes):
    """Return the printed confusion matrix."""
    lines = output.partition("ELMo says")[2].splitlines()[2 : n_classes + 2]
    return np.array([line.split()[1:] for line in lines], dtype=float)


@pytest.fixture(scope="module")
def separable(tmp_path_factory):
    """Return the process that ran on two classes with words of their own."""
    directory = tmp_path_factory.mktemp("quickstart")
    rng = random.Random(0)
    rows = ["label\ttext", "film\t", "\tsomething"]
    for label in ["film", "money"] * 60:
        words = rng.choices(WORDS[label].split(), k=8)
        rows.append(f'{label}\t"{" ".join(words)}')  # a lone quotation mark
    path = directory / "texts.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = ["--epochs", 5, "--max-documents", 80, "--out", "figure.png"]
    return run(directory, path, *arguments), directory


def test_quickstart_classifies_separable_texts(separable):
    process, _ = separable
    assert process.returncode == 0, process.stderr
    found = scores(process.stdout)
    for name in ("ELMo", "TF-IDF", "ELMo + TF-IDF"):
        accuracy, recall, f1, _ = found[name]
        assert min(accuracy, recall, f1) > 0.9
    assert found["most frequent"][1] == 0.5


def test_quickstart_scores_agree_with_its_confusion_matrix(separable):
    output = separable[0].stdout
    counts = matrix(output, 2)
    sizes = counts.sum(axis=1)
    assert sizes.sum() == 20
    assert scores(output)["most frequent"][0] == sizes.max() / 20
    accuracy, recall, f1, _ = scores(output)["ELMo"]
    hits = counts.diagonal()
    recalls = hits / sizes
    f1s = 2 * hits / (counts.sum(axis=0) + sizes)
    assert accuracy == pytest.approx(hits.sum() / 20, abs=5e-4)  # three digits printed
    assert recall == pytest.approx(recalls.mean(), abs=5e-4)
    assert f1 == pytest.approx(f1s.mean(), abs=5e-4)


def test_quickstart_reports_what_it_did(separable):
    process, directory = separable
    output = process.stdout
    assert output.startswith("120 of 122 rows have a text and a label\n")
    assert "60 training texts, 20 test texts\n" in output
    perplexity = r"perplexity on test texts: forward ([\d.]+), backward ([\d.]+)\n"
    forward, backward = map(float, re.search(perplexity, output).groups())
    assert 1 < forward < 25  # of 24 words and marks in all
    assert 1 < backward < 25
    assert re.search(r"^\d+ s, peak memory ([\d,]+ MiB|n/a)$", output, re.MULTILINE)
    assert "epoch 5/5" in process.stderr  # progress bars
    assert "figure: figure.png\n" in output
    image = (directory / "figure.png").read_bytes()
    assert image.startswith(b"\x89PNG\r\n\x1a\n")


def test_quickstart_shows_few_labels_where_both_kinds_of_features_are_best(tmp_path):
    process = run(tmp_path)
    assert process.returncode == 0, process.stderr
    assert "100 training texts, 300 test texts, 10 times\n" in process.stdout
    accuracy = {name: row[0] for name, row in scores(process.stdout).items()}
    assert accuracy["most frequent"] == 0.5
    assert accuracy["ELMo"] > accuracy["TF-IDF"] + 0.01
    assert accuracy["ELMo + TF-IDF"] > max(accuracy["ELMo"], accuracy["TF-IDF"]) - 0.005
    assert matrix(process.stdout, 2).sum() == 10 * 300
    assert process.stderr == ""


GOOD = "text,label\nan apple,a\na boat,b\nan axe,a\na bear,b\n"
BAD_INPUTS = {
    "missing file": (None, [], "[Errno 2] No such file or directory: 'bad.csv'"),
    "empty file": ("", [], "No columns to parse from file"),
    "missing column": (
        GOOD,
        ["--text", "story"],
        "no column 'story': give --text one of text, label",
    ),
    "no telling names": (
        "a;b\n1;2\n",
        [],
        "no column looks like the text: give --text one of a, b",
    ),
    "one class": (
        "text,label\nan apple,a\nan axe,a\n,b\n",
        [],
        "needs at least 2 classes, found 1",
    ),
    "no rows": ("text,label\n", [], "needs at least 2 classes, found 0"),
    "one document in a class": (
        GOOD + "a cat,c\n",
        [],
        "class 'c' needs at least 2 documents, has 1",
    ),
    "ragged rows": (
        GOOD + "a, b, c\n",
        [],
        "Error tokenizing data. C error: Expected 2 fields in line 6, saw 3",
    ),
    "not UTF-8": (
        b"text,label\n\xff,a\n",
        [],
        "'utf-8' codec can't decode byte 0xff in position 11: invalid start byte",
    ),
    "no sample": (GOOD, ["--max-documents", 0], "needs at least 2 classes, found 0"),
    "too many labels": (
        GOOD,
        ["--labels", 3],
        "--labels must be 2 to 2, not 3: each class is trained and tested",
    ),
    "no directory": (
        GOOD,
        ["--out", "nowhere/figure.png"],
        f"--out must be a .png in a directory, not {Path('nowhere/figure.png')}",
    ),
    "no PNG": (
        GOOD,
        ["--out", "figure.doc"],
        "--out must be a .png in a directory, not figure.doc",
    ),
}


@pytest.fixture(scope="module")
def script():
    """Return the script as a module, to call it without a process's start."""
    spec = importlib.util.spec_from_file_location("quickstart", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("content", "options", "message"), BAD_INPUTS.values(), ids=list(BAD_INPUTS)
)
def test_quickstart_answers_bad_input_in_one_line(
    script, tmp_path, monkeypatch, capsys, content, options, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["quickstart.py", "bad.csv", *map(str, options)])
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        Path("bad.csv").write_bytes(data)
    assert script.main() == 2
    assert capsys.readouterr().err == f"quickstart: {message}\n"


def test_quickstart_exits_with_2_on_bad_input(tmp_path):
    process = run(tmp_path, "bad.csv")
    assert process.returncode == 2
    message = "quickstart: [Errno 2] No such file or directory: 'bad.csv'\n"
    assert process.stderr == message


@pytest.mark.parametrize(
    "content",
    [
        'Label,Stars,TEXT\r\na,5,"one, two"\r\nNA,5,None\r\n',
        "\ufefflabel;text\na;one, two\nNA;None\n ;x\ny; \n",
        "id\tlabel\ttext\n1\ta\tone, two\n2\tNA\tNone\n3\tb\n",
    ],
    ids=["quoted CSV", "semicolons with a byte order mark", "short row in a TSV"],
)
def test_quickstart_reads_tables(script, tmp_path, content):
    path = tmp_path / "table"
    path.write_bytes(content.encode())
    texts, labels = script.read_columns(path, None, None)
    assert texts.tolist() == ["one, two", "None"]
    assert labels.tolist() == ["a", "NA"]


def test_quickstart_runs_without_matplotlib(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    path = tmp_path / "figure.png"
    script.draw(None, None, None, path)
    assert capsys.readouterr().out == "no figure: it needs matplotlib\n"
    assert not path.exists()
