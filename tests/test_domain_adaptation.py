"""Tests of benchmarks/domain_adaptation.py, run as a process as its reader runs it."""

import argparse
import functools
import gzip
import importlib.util
import random
import re

import numpy as np
import pytest
from example_scripts import EXAMPLES, run_example

from skelmo.datasets import load_docstrings

SCRIPT = EXAMPLES.parent / "benchmarks" / "domain_adaptation.py"
if not SCRIPT.is_file():
    pytest.skip("benchmarks are not part of this copy", allow_module_level=True)
GENERAL = ["the", "report", "says", "that", "banks", "and", "bakers", "want", "laws"]
DOMAIN = ["the", "report", "says", "that", "films", "and", "actors", "want", "praise"]


run = functools.partial(run_example, SCRIPT)


@pytest.mark.slow
def test_going_on_with_a_domain_lowers_its_perplexity(tmp_path):
    rng = random.Random(0)
    for name, words, start in (("general", GENERAL, ""), ("domain", DOMAIN, "1\t")):
        turns = rng.choices(range(len(words)), k=900)
        lines = [start + " ".join(words[k:] + words[:k]) for k in turns]
        with gzip.open(tmp_path / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
    arguments = ("general.gz", "domain.gz", "--field", 2, "--out", "curve.png")
    process = run(tmp_path, *arguments)
    assert process.returncode == 0, process.stderr
    assert "700 general texts, 700 domain texts\n" in process.stdout
    rows = re.findall(r"^(\d+) +([\d.]+) +([\d.]+)$", process.stdout, re.MULTILINE)
    assert [int(row[0]) for row in rows][::6] == [0, 700]
    assert float(rows[-1][1]) < 0.5 * float(rows[0][1])
    nothing, general = (
        float(re.search(rf"^from {name} +([\d.]+)$", process.stdout, re.MULTILINE)[1])
        for name in ("nothing", "the general model")
    )
    assert general < 0.9 * nothing
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_files_one_library_is_the_domain():
    specification = importlib.util.spec_from_file_location("domain", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    options = argparse.Namespace(general=None, seed=0, n_general=10**6, n_domain=10**6)
    general, domain = module.load(options)
    X, y = load_docstrings(return_X_y=True)
    assert sorted([*general, *domain]) == sorted(X)
    names = np.array(load_docstrings().target_names)[y]
    expected = [x for x, name in zip(X, names, strict=True) if name == "scikit-learn"]
    assert sorted(domain) == sorted(expected)


@pytest.mark.slow
def test_too_few_texts_end_in_one_line(tmp_path):
    (tmp_path / "few.txt").write_text("a text\n" * 9, encoding="utf-8")
    process = run(tmp_path, "few.txt", "few.txt")
    assert process.returncode == 2
    assert process.stderr == (
        "domain_adaptation: 9 general texts are too few to hold some out\n"
    )
    process = run(tmp_path, "few.txt")
    assert process.returncode == 2
    assert "give two files, of general and of domain texts, or none" in process.stderr
