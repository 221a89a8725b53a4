"""The pure parts of benchmarks/quality.py."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks are not part of this copy", allow_module_level=True)


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


TEXTS = ["the quick brown fox , and 42 dogs", "a sleepy bear 's den ."] * 50


def test_misspell_changes_the_share_asked_for():
    from quality_misspell import misspell

    words = sum(len(w) > 1 and w.isalpha() for text in TEXTS for w in text.split(" "))
    for rate in (0.05, 0.2):
        pairs = zip(TEXTS, misspell(TEXTS, rate, 0), strict=True)
        changed = [
            (old, new)
            for a, b in pairs
            for old, new in zip(a.split(" "), b.split(" "), strict=True)
            if old != new
        ]
        assert len(changed) == round(rate * words)
        assert all(old.isalpha() and len(old) > 1 and new for old, new in changed)
        assert all(abs(len(old) - len(new)) <= 1 for old, new in changed)


def test_misspell_depends_on_the_seed_alone():
    from quality_misspell import misspell

    first = misspell(TEXTS, 0.2, 1).tolist()
    assert misspell(TEXTS, 0.2, 1).tolist() == first
    assert misspell(TEXTS, 0.2, 2).tolist() != first
    assert misspell(TEXTS, 0.0, 1).tolist() == TEXTS


def test_edits_never_give_the_word_again():
    from quality_misspell import edit

    rng = np.random.default_rng(0)
    assert "oo" not in {edit("oo", rng) for _ in range(500)}


def test_draws_are_stratified_and_the_same_again():
    from quality_data import draws

    labels = np.repeat([0, 1, 2], [600, 300, 100])
    first = draws(labels, 50, 3)
    assert all(np.bincount(labels[rows]).tolist() == [30, 15, 5] for rows in first)
    assert all(len(set(rows)) == 50 for rows in first)
    assert len({tuple(sorted(rows)) for rows in first}) == 3
    np.testing.assert_array_equal(first, draws(labels, 50, 3))


def test_only_the_best_is_bold():
    from quality_page import bold_best

    assert bold_best([1, 3, None, 2], ["1", "3", "-", "2"]) == ["1", "**3**", "-", "2"]
    assert bold_best([None], ["-"]) == ["-"]


def test_the_best_of_each_column_is_bold_in_a_table():
    from quality_page import table

    values = {("a", "x"): 0.1, ("b", "x"): 0.2, ("a", "y"): 0.4}
    shown = table(
        "", ["x", "y"], ["a", "b"],
        lambda name, column: (v := values.get((name, column))) and (v, str(v)),
    )  # fmt: skip
    assert shown.splitlines()[2:] == ["| a | 0.1 | **0.4** |", "| b | **0.2** | - |"]


def test_window_leaves_out_the_word_itself():
    from quality_tokens import window

    tokens = list("abcdefg")
    assert window(tokens, 3, 2) == ["b", "c", "e", "f"]
    assert window(tokens, 0, 2) == ["b", "c"]
    assert window(tokens, 6, 2) == ["e", "f"]


def test_static_vectors_of_a_text_are_the_mean_of_known_words(tmp_path):
    from quality_sides import Static

    path = tmp_path / "word2vec-2.txt"
    path.write_text("3 2\nfilm 1 0\ngood 0 3\nbad 0 -3\n", encoding="utf-8")
    side = Static(path, lambda texts: [text.split() for text in texts], tmp_path)
    assert (side.name, side.kind, side.dim) == ("word2vec-2", "word2vec", 2)
    text = tmp_path / "glove-3.txt"  # GloVe's own format has no line of sizes
    text.write_text("film 1 0 0\n", encoding="utf-8")
    assert Static(text, None, tmp_path).dim == 3
    expected = [[0.5, 1.5], [0, -3], [0, 0]]
    for _ in range(2):  # computed, then read
        found = side.features(["Good zzz film", "BAD", "zzz"])
        np.testing.assert_array_equal(found, expected)
    near = side.by_nearest()
    assert near.key != side.key
    found = near.features(["gooD zzz fulm", "ba"])
    np.testing.assert_array_equal(found, [[0.5, 1.5], [0, 0]])  # "ba" is too short


def test_nearest_takes_the_commonest_of_equally_near():
    from quality_learn import nearest

    train = np.array([[1, 0], [2, 0], [3, 0], [0, 1]], dtype=np.float32)
    y = np.array(["b", "a", "a", "c"])
    test = np.array([[5, 0], [0.1, 5]], dtype=np.float32)
    assert nearest(train, y, test).tolist() == ["a", "c"]


def test_learn_refits_the_best_block():
    from quality_learn import learn

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    noise, signal = rng.normal(size=(2, 120, 3))
    signal[:, 0] += 3 * y
    blocks = [(X[:90], [X[90:]], (0.1, 1.0)) for X in (noise, signal)]
    (predicted,), chosen = learn(blocks, y[:90])
    assert chosen["block"] == 1
    expected = LogisticRegression(C=chosen["C"], tol=1e-5).fit(signal[:90], y[:90])
    assert predicted.tolist() == expected.predict(signal[90:]).tolist()


def test_larger_values_are_tried_until_two_in_a_row_are_worse(monkeypatch):
    import quality_learn

    right = {1: 5, 2: 7, 3: 6, 4: 7, 5: 6, 6: 5, 7: 9}
    tried = []

    class Classifier:
        def set_params(self, C):
            self.C = C
            tried.append(C)
            return self

        def fit(self, X, y):
            return self

        def predict(self, X):
            return np.arange(len(X)) >= right[self.C]  # so many are False

    monkeypatch.setattr(quality_learn, "classifier", Classifier)
    monkeypatch.setattr(
        quality_learn, "folds_of", lambda y, n: [(slice(0), slice(None))]
    )
    X, y = np.zeros((10, 1)), np.zeros(10, dtype=bool)
    assert quality_learn.choose([(X, sorted(right))], y) == (0, 2)
    assert tried == [1, 2, 3, 4, 5, 6]


def test_differences_are_of_the_same_texts():
    from quality_learn import accuracy, difference

    gain, error = difference(["1101", "11"], ["1001", "10"])
    assert gain == pytest.approx(2 / 6)
    assert error == pytest.approx(np.std([0, 1, 0, 0, 0, 1], ddof=1) / 6**0.5)
    assert accuracy(["1101"]) == (0.75, pytest.approx((0.75 * 0.25 / 4) ** 0.5))
    assert accuracy(["11", "01"]) == (0.75, pytest.approx(0.5 / 2**0.5))


def test_a_claim_is_judged_by_sign_and_error():
    from quality_claims import Finding

    verdicts = [Finding("", "", gain, 1.0).verdict for gain in (3, 1, -1, -3)]
    within = "within two errors"
    assert verdicts == ["yes", f"yes, {within}", f"no, {within}", "no"]


def test_what_is_lost_is_against_the_same_texts():
    from quality_claims import less_lost, lost

    ours = {"0.0": ["1110"], "0.1": ["1100", "1110"], "0.2": ["1100", "1100"]}
    theirs = {"0.0": ["1111"], "0.1": ["0000", "1111"], "0.2": ["0000", "0000"]}
    assert lost(ours, "0.1").tolist() == [0, 0, 0.5, 0]
    gains = 0.5 - 0.125, 1.0 - 0.25  # at either rate
    assert less_lost(ours, theirs)[0] == pytest.approx(np.mean(gains))


def results_of(ours, theirs):
    """Return what was measured of two sides on one task."""
    names = {"ELMo": ours, "TF-IDF": theirs}
    return {
        "about": {"static_sides": {}},
        "classify": {"mr": {name: {"hits": [h]} for name, h in names.items()}},
        "few": {"mr": {name: {"hits": {"100": [h, h]}} for name, h in names.items()}},
        "misspellings": {
            "mr": {
                name: {"hits": {"0.0": [h], "0.1": [h], "0.2": [h]}}
                for name, h in names.items()
            }
        },
        "senses": None,
        "tags": None,
    }


def test_a_loss_against_tfidf_counts_and_misspellings_count_once():
    from quality_claims import findings

    found = findings(results_of("1100", "1110"))
    assert [(f.claim, f.where, f.gain) for f in found] == [
        ("ELMo beats TF-IDF with all labels", "MR", -25.0),
        ("ELMo beats TF-IDF with few labels", "MR, 100 labels", -25.0),
        ("ELMo loses less to misspellings, mean of all rates", "MR, than TF-IDF", 0.0),
    ]


def test_the_page_tells_losses_first():
    from quality_page import losses

    tasks = {"MR": results_of("1100", "1110")["classify"]["mr"]}
    (text,) = losses(tasks)
    assert (
        text == "The losses first. ELMo alone loses MR to TF-IDF by 25.0 ± 25.0 points."
    )
    assert losses({"MR": results_of("1110", "1100")["classify"]["mr"]}) == []


def test_the_page_opens_with_all_labels_and_closes_with_what_held():
    from quality_page import write_page

    results = results_of("1100", "1110") | {"variants": {}}
    results["classify"]["chinese"] = {
        name: {"hits": [hits]}
        for name, hits in {'ELMo "zh"': "100", "TF-IDF of characters": "101"}.items()
    }
    results["few"]["chinese"] = {}
    for part in ("classify", "few", "misspellings"):
        for sides in results[part].values():
            for side in sides.values():
                side |= {"seconds": 1.0, "n_train": 1000}
    results["about"] |= dict.fromkeys(("command", "model", "layers", "pooling"), "")
    results["about"] |= {"quick": False, "hidden_size": 1, "proj_size": 1}
    page = write_page(results)
    assert re.findall("^## (.+)$", page, re.MULTILINE) == [
        "All labels", "Few labels", "Chinese", "Misspellings",
        "What held and what did not", "How it was measured",
    ]  # fmt: skip
    for title in ("All labels", "Chinese"):
        assert f"## {title}\n\nThe losses first. ELMo" in page


def test_vectors_of_another_environment_are_kept(tmp_path):
    from quality_sides import MiniLM

    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport io, json, sys, numpy as np\n"
        "rows = [[len(text), 1] for text in json.load(sys.stdin)]\n"
        "sys.stdout.buffer.write((lambda b: (np.save(b, rows), b)[1])(io.BytesIO())"
        ".getvalue())\n"
    )
    python.chmod(0o755)
    side = MiniLM(python, tmp_path)
    for _ in range(2):  # computed, then read
        np.testing.assert_array_equal(side.features(["a", "abc"]), [[1, 1], [3, 1]])
        python.write_text("")


def test_the_store_measures_once(tmp_path):
    from quality_store import Store

    store = Store(tmp_path, ["mr"])
    assert store.get("mr", "a side", [1], lambda: {"x": 1})["x"] == 1
    assert store.get("mr", "a side", [1], lambda: {"x": 2})["x"] == 1
    assert store.get("mr", "a side", [2], lambda: {"x": 2})["x"] == 2
    assert store.get("trec", "a side", [1], lambda: {"x": 3}) is None
    assert Store(tmp_path, []).get("mr", "a side", [1], None)["x"] == 1
