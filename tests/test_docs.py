"""The documentation as a program: its Python runs, its links and names are real."""

import codeop
import contextlib
import importlib
import inspect
import io
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from test_architecture import TIERS

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.estimators.documentation import PAGE

DOCS = Path(__file__).parents[1] / "docs"
MADE = {"_build", "gallery", "generated"}
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(DOCS.rglob("*.md"))
    if not MADE & set(path.relative_to(DOCS).parts)
}
HUNDREDTHS = re.compile(r"(?<![\d.])(\d\.\d\d)(?!\d)")
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """Code of a page, and what it prints."""

    line: int
    code: str
    expected: str


def blocks(text):
    """Return the blocks to run; "text" right behind one is what it prints."""
    found = list(FENCE.finditer(text))
    result = []
    for k, fence in enumerate(found):
        if fence[1] != "python":
            continue
        expected, after = "", next(iter(found[k + 1 :]), None)
        if after is not None and after[1] == "text":
            between = text[fence.end() : after.start()]
            expected = after[2] if not between.strip() else ""
        line = text.count("\n", 0, fence.start(2))
        result.append(Block(line, fence[2], expected))
    return result


RUN = [name for name, text in PAGES.items() if blocks(text)]
SLOW = {  # they train, or encode much
    "getting_started.md", "user_guide/chinese.md", "user_guide/classification.md",
    "user_guide/heads.md", "user_guide/limits.md", "user_guide/other_languages.md",
    "user_guide/pretraining.md", "user_guide/searching.md", "user_guide/sentiment.md",
    "user_guide/static_vectors.md", "user_guide/tuning_end_to_end.md",
    "user_guide/unknown_words.md", "zh/applications.md", "zh/batch_size.md",
    "zh/classification.md", "zh/getting_started.md", "zh/heads.md",
    "zh/learning_rate.md", "zh/loss.md", "zh/outlook.md", "zh/prediction.md",
    "zh/preparation.md", "zh/regularization.md", "zh/search.md", "zh/sentiment.md",
    "zh/solvers.md", "zh/static_vectors.md", "zh/summary.md", "zh/tuning.md",
    "zh/unknown_words.md", "zh/validation.md",
}  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow) if page in SLOW else page
        for page in RUN
    ],
)
def test_blocks_run_in_order_and_print_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names = {"__name__": "__main__"}
    for line, code, expected in blocks(PAGES[page]):
        printed = io.StringIO()
        # Line numbers of a failure are then those of the page.
        source = compile("\n" * line + code, page, "exec")
        with contextlib.redirect_stdout(printed):
            exec(source, names)
        place = f"{page}, block in line {line + 1}"
        assert_prints(printed.getvalue(), expected, place)


def assert_prints(printed, expected, place=""):
    """Compare what is printed; numbers with two decimals may be 0.03 off.

    They are accuracies, in which processors differ by a document.
    """
    parts, others = HUNDREDTHS.split(printed), HUNDREDTHS.split(expected)
    assert parts[::2] == others[::2], f"{place}:\n{printed}"
    found, wanted = ([float(n) for n in each[1::2]] for each in (parts, others))
    assert found == pytest.approx(wanted, abs=0.03), f"{place}:\n{printed}"


def test_only_hundredths_may_be_off():
    assert_prints("accuracy 0.76 of 10\n", "accuracy 0.74 of 10\n")
    for printed in ("accuracy 0.76\n", "accuracy 0.706\n", "score 0.71\n"):
        with pytest.raises(AssertionError, match=f"^page:\n *{re.escape(printed)}"):
            assert_prints(printed, "accuracy 0.70\n", "page")


def test_blocks_are_found():
    text = (
        "```python\nprint(1)\n```\n\n```text\n1\n```\n"
        "```py\nimport absent\n```\n```python\nx = 1\n```\nWords.\n```text\n2\n```\n"
    )
    assert blocks(text) == [(1, "print(1)\n", "1\n"), (11, "x = 1\n", "")]
    assert len(RUN) >= 10
    assert set(RUN) > SLOW


def first_line_refused(code):
    """Return the line at which a plain interpreter refuses what is pasted, or None."""
    compile_lines, lines = codeop.CommandCompiler(), []
    for line in [*code.splitlines(), ""]:
        lines.append(line)
        try:
            if compile_lines("\n".join(lines), symbol="single") is not None:
                lines = []
        except SyntaxError:
            return line
    return "".join(lines) or None


@pytest.mark.parametrize("page", RUN)
def test_blocks_can_be_pasted_into_a_plain_interpreter(page):
    for line, code, _ in blocks(PAGES[page]):
        refused = first_line_refused(code)
        assert refused is None, f"{page}, block in line {line + 1}: {refused}"


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        ("for k in range(2):\n    print(k)\n\nprint(2)\n", None),
        ("for k in range(2):\n    print(k)\nprint(2)\n", "print(2)"),
        ("def f():\n    x = 1\n\n    return x\n", "    return x"),
        ("f(\n    1,\n\n    2\n)\n", None),
        ("f(1,\n", "f(1,"),
    ],
)
def test_interpreter_needs_an_empty_line_behind_a_loop_alone(code, refused):
    assert first_line_refused(code) == refused


def anchors(text):
    """Return the names of the headings of a page, as links have them."""
    text = FENCE.sub("", text)
    titles = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_inside_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page])):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        other = page
        if path:
            file = (DOCS / page).parent / path
            other = file.resolve().relative_to(DOCS).as_posix()
            is_made = MADE & set(other.split("/"))
            assert is_made or file.is_file(), f"{page}: no {target}"
        if anchor:
            assert anchor in anchors(PAGES[other]), f"{page}: no heading {target}"


DRAWN = sorted(
    (name, page)
    for page, text in PAGES.items()
    for name in re.findall(r"^   course\.(\w+)\(\)$", text, re.MULTILINE)
)


@pytest.fixture
def course(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.syspath_prepend(DOCS / "figures")
    with plt.rc_context({"backend": "Agg"}):
        yield importlib.import_module("course")
    plt.close("all")


@pytest.mark.parametrize(("name", "page"), DRAWN)
def test_figures_of_the_course_have_all_their_letters(name, page, course):
    getattr(course, name)()
    course.plt.gcf().canvas.draw()  # a letter that the font lacks is a warning


def test_every_figure_of_the_course_stands_on_a_page(course):
    functions = [f for f in vars(course).values() if inspect.isfunction(f)]
    own = [f for f in functions if f.__module__ == "course"]
    figures = {f.__name__ for f in own if not inspect.signature(f).parameters}
    assert figures == {name for name, _ in DRAWN}


def test_every_parameter_of_the_language_model_is_explained():
    text = PAGES["user_guide/tuning.md"]
    rows = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == set(ElmoLanguageModel().get_params())


def test_every_value_of_layers_and_pooling_is_explained():
    rows = re.findall(r"^\| (.+?) \|", PAGES["user_guide/layers.md"], re.MULTILINE)
    values = set(re.findall(r'"(\w+)"', " ".join(rows)))
    constraints = ElmoVectorizer._parameter_constraints
    for name in ("layers", "pooling"):
        options = constraints[name][0].options
        assert options <= values, name


@pytest.mark.parametrize(
    "module", ["", ".baselines", ".datasets", ".display", ".testing"]
)
def test_public_names_stand_on_the_api_page(module):
    module = f"skelmo{module}"
    public = vars(importlib.import_module(module))
    names = public.get("__all__") or [
        name
        for name, value in public.items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module
    ]
    sections = re.findall(
        rf"currentmodule:: {module}\n(.*?)```", PAGES["api/index.md"], re.DOTALL
    )
    listed = set(re.findall(r"^ +(\w+)$", "\n".join(sections), re.MULTILINE))
    assert listed == set(names) - {"__version__"}


def test_estimators_link_to_the_pages_that_are_made():
    # autosummary puts them beside the page that lists the names.
    assert PAGE.endswith("/api/generated/{name}.html")
    assert ":toctree: generated/" in PAGES["api/index.md"]


def test_every_example_stands_in_a_section_of_the_gallery(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    order = importlib.import_module("gallery_sections").ORDER
    scripts = [path.name for path in (DOCS.parent / "examples").glob("*.py")]
    assert sorted(order) == sorted(scripts)


def test_tiers_of_the_design_are_those_of_the_code():
    table = PAGES["design.md"].partition("| what they know |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    found = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    expected = [{name.removeprefix("skelmo.") for name in names} for names in TIERS]
    assert found[::-1] == expected
