"""README as a program: its Python runs, its commands exist, its names are real."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from test_docs import assert_prints

README = Path(__file__).parents[1] / "README.md"
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
