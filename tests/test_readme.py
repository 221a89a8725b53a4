"""README as a program: its Python runs, its commands exist, its names are real."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from test_docs import PAGES, assert_prints

README = Path(__file__).parents[1] / "README.md"
BENCHMARKS = README.parent / "benchmarks" / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(BLOCKS[0], id="pipeline"),
        *(
            pytest.param(block, id="tour", marks=pytest.mark.slow)
            for block in BLOCKS[1:]
        ),
    ],
)
def test_python_blocks_run_and_print_what_they_say(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "README.md", "exec"), {})
    if "print(" in block:
        assert_prints(
            printed.getvalue(), re.search(r"```text\n(.*?)```", TEXT, re.S)[1]
        )


def test_first_block_is_short():
    assert len([line for line in BLOCKS[0].splitlines() if line]) <= 12


MEASURED = {  # the row of README's table: that of the record
    "TF-IDF": ("evaluation", "TF-IDF"),
    "all-MiniLM-L6-v2, frozen": ("evaluation", "MiniLM"),
    "ELMo, frozen": ("evaluation", "ELMo"),
    "ELMo + TF-IDF": ("evaluation", "ELMo + TF-IDF"),
    '`ElmoClassifier(tune="none")`: a head of attention': (
        "benchmarks",
        "ELMo frozen, attention",
    ),
    "`ElmoClassifier()`: tuned by the labels": ("benchmarks", "ELMo tuned, attention"),
}


def test_table_of_accuracies_agrees_with_the_records():
    records = {
        "evaluation": PAGES["evaluation.md"],
        "benchmarks": BENCHMARKS.read_text(encoding="utf-8"),
    }
    table = TEXT.partition("| features, then")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    assert [name for name, *_ in rows] == list(MEASURED)
    for name, sst2, trec, *_ in rows:
        record, row_name = MEASURED[name]
        rows_there = [
            set(re.findall(r"[\d.]+(?= ±)", row))
            for row in records[record].splitlines()
            if row.startswith(f"| {row_name} |")
        ]
        assert any({sst2, trec} <= row for row in rows_there), name


def test_size_and_speed_agree_with_the_model_card():
    card = PAGES["model_card.md"]
    (speed,) = re.findall(r"One core encodes (\d+) sentences a second", TEXT)
    assert re.search(rf"\b{speed} and \d+ sentences", card)
    (size,) = re.findall(r"^\| ELMo, frozen .* (\d+) MB \|$", TEXT, re.M)
    assert re.search(rf"with the vocabulary {size}\.\d MB", card)


@pytest.mark.parametrize("name", ["run", "test", "engines"])
def test_commands_are_marked_and_on_one_line(name):
    found = re.search(rf"<!-- command: {name} -->\n```bash\n(.*?)\n```", TEXT, re.S)
    assert found is not None
    assert "\n" not in found[1]
    assert "-c constraints.txt" in found[1]


def test_paths_in_the_file_map_exist():
    table = TEXT[TEXT.index("| path | what |") :]
    paths = [p for row in table.splitlines() if row.startswith("| `") for p in
             re.findall(r"`([\w/.]+)`", row.split("|")[1])]  # fmt: skip
    assert len(paths) >= 10
    for path in paths:
        candidates = README.parent / path, README.parent / "skelmo" / path
        assert any(candidate.exists() for candidate in candidates), path
