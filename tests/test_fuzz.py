"""A little of benchmarks/fuzz.py: nothing crashes, hangs or is silently wrong."""

import warnings
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks are not part of this copy", allow_module_level=True)

CASES = {
    "tokenizer": 4, "encoder": 1, "drawn": 1, "model": 60, "bilm": 60, "many_langs": 60,
    "checkpoint": 60, "vectors": 80, "database": 12, "tables": 100,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("part", CASES)
def test_nothing_is_silently_wrong(part, tmp_path):
    import fuzz

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage, and of what is cut
        check = fuzz.PARTS[part](tmp_path, 1)
        verdicts = [fuzz.verdict_of(check, number) for number in range(CASES[part])]
    assert [verdict for verdict in verdicts if verdict.startswith("!")] == []
    if part not in ("tokenizer", "encoder", "drawn"):
        assert len(set(verdicts)) > 1  # some are damaged where it does no harm


def test_every_part_has_its_cases():
    import fuzz

    assert CASES.keys() == fuzz.PARTS.keys()


@pytest.mark.slow
def test_every_kind_of_fault_is_noted_and_the_rest_goes_on():
    import fuzz

    verdicts, problems = fuzz.fuzz("faults", 7, 0, patience=5.0)
    assert verdicts["fine"] == 2
    assert [number for number, _ in problems] == [1, 2, 3, 4, 5]
    died, hung, *others = [problem for _, problem in problems]
    assert died.startswith("!died by -11")
    assert hung == "!hang"
    assert others == [
        "!wrong: as it should be",
        "!without a sentence: ValueError: no sentence",
        "!KeyError: 5",
    ]


def test_a_case_depends_on_seed_and_number_alone():
    from fuzz_documents import documents_of
    from strange_texts import drawn_texts

    assert drawn_texts("3-7", 20) == drawn_texts("3-7", 20)
    assert drawn_texts("3-7", 20) != drawn_texts("3-8", 20)
    assert documents_of(3, 7) == documents_of(3, 7)
    assert documents_of(3, 7) != documents_of(3, 8)
    assert documents_of(3, 7) != documents_of(4, 7)
