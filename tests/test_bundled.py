"""The models in the package: that they are whole, small, and make sense."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.cli import main
from skelmo.comparison import representations
from skelmo.estimators.language_model import shared_model
from skelmo.pretrained import registry

DOCS = Path(__file__).parents[1] / "docs"
CARDS = {"en": "model_card", "zh": "model_card_zh"}
BYTES = {"en": 36e6, "zh": 16e6}

CHINESE = ["房间很干净，服务也不错，下次还会来。", "早餐一般，位置很好！", "太差了。"]


def shared_model_named(name):
    """Return a bundled model, read once."""
    return shared_model(name, {})


@pytest.fixture(scope="module")
def english():
    return shared_model_named("en")


@pytest.fixture(scope="module")
def chinese():
    return shared_model_named("zh")


def nearest(vectors, words, word):
    """Return the other words, those with the most similar vectors first."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-vectors @ vectors[words.index(word)])
    return [words[k] for k in order if words[k] != word]


def test_the_english_one_is_the_default():
    assert ElmoVectorizer().language_model == "en"
    assert list(registry.BUNDLED) == list(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_they_fit_into_the_wheel(name):
    files = list(registry.BUNDLED[name].iterdir())
    names = {file.name for file in files}
    assert names == {"config.json", "vocabulary.txt", "weights.safetensors"}
    assert sum(file.stat().st_size for file in files) < BYTES[name]


@pytest.mark.parametrize("name", CARDS)
def test_their_files_name_no_machine(name):
    text = (registry.BUNDLED[name] / "config.json").read_text(encoding="utf-8")
    values = json.loads(text)["settings"]["parameters"].values()
    assert not [value for value in values if "/" in str(value)]


def test_compare_knows_its_layers_without_reading_it(english):
    made = representations.choose(None, 0, "compare").transformers
    layers = [made[name].layers for name in made if name.startswith("elmo-layer-")]
    assert layers == list(range(english.config_.n_layers))


def test_words_and_their_vectors_belong_together(english):
    words = ["london", "paris", "bread", "butter", "monday", "tuesday"]
    vectors = english.network_.bilm.token_encoder.word_embedding.weight.detach().numpy()
    rows = vectors[[english.vocabulary_.index(word) for word in words]]
    for k, word in enumerate(words):
        assert nearest(rows, words, word)[0] == words[k ^ 1]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("beatiful", "beautiful"), ("goverment", "government"), ("childrens", "children")],
)
def test_a_misspelt_word_is_near_to_the_right_one(wrong, right):
    words = [wrong, "beautiful", "government", "children", "seventeen", "quickly"]
    elmo = ElmoVectorizer(layers=0, input="tokens").fit([words])
    (vectors,) = elmo.transform_tokens([words])
    assert nearest(vectors, words, wrong)[0] == right


def test_a_word_has_the_sense_of_its_sentence():
    river = [
        "The grassy bank of the river was muddy after the rain.",
        "We sat on the river bank and watched the boats.",
        "The fisherman stood on the bank of the stream.",
        "Willows grew along the western bank of the lake.",
    ]
    money = [
        "The bank raised its interest rates last year.",
        "She borrowed money from the bank to buy a house.",
        "The bank refused to give the company a loan.",
        "He deposited the cheque at the bank in the city.",
    ]
    elmo = ElmoVectorizer(layers=2).fit(river)
    vectors = []
    for text, tokens in zip(river + money, elmo.tokenize(river + money), strict=True):
        (found,) = elmo.transform_tokens([text])
        vectors.append(found[tokens.index("bank")])
    senses = ["river"] * 4 + ["money"] * 4
    names = [f"{sense} {k}" for k, sense in enumerate(senses)]
    same = [
        nearest(np.array(vectors), names, name)[0].split()[0] == sense
        for name, sense in zip(names, senses, strict=True)
    ]
    assert sum(same) >= 7


def test_order_of_words_matters_to_it(english):
    text = "The president of the United States was born in the city of New York."
    words = text.rstrip(".").split()
    shuffled = " ".join(np.random.default_rng(0).permutation(words)) + "."
    assert english.perplexity([text])[2] * 3 < english.perplexity([shuffled])[2]


def test_training_goes_on_from_it(english):
    text = ["The kettle boils quickly and the handle stays cool to the touch."] * 90
    model = ElmoLanguageModel(
        init="en", max_epochs=1, learning_rate_init=1e-3, tie_weights=True,
        random_state=0,
    )  # fmt: skip
    before = english.perplexity(text[:1])[2]
    model.fit(text)
    assert model.perplexity(text[:1])[2] < before / 2
    assert english.perplexity(text[:1])[2] == before


def test_the_first_transform_of_a_process_needs_nothing_else(tmp_path):
    code = (
        "import socket, sys\n"
        "def refuse(*arguments):\n    raise OSError('no network')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from skelmo import ElmoVectorizer\n"
        "print(ElmoVectorizer().fit_transform(['a b', 'c']).shape)\n"
        "print('torch._dynamo' in sys.modules)\n"  # takes as long as all of torch
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout == "(2, 3072)\nFalse\n", done.stderr


@pytest.mark.parametrize("name", CARDS)
def test_the_card_says_what_the_record_says(name, capsys):
    folder, model = DOCS / CARDS[name], shared_model_named(name)
    card = folder.with_suffix(".md").read_text(encoding="utf-8")
    runs = json.loads((folder / "record.json").read_text("utf-8"))["runs"]
    record = runs[-1]
    shown = re.search(r"^\| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", card, re.MULTILINE)
    assert [float(value) for value in shown.groups()] == pytest.approx(
        record["perplexity"], abs=0.0501
    )
    for run in runs:
        assert f"{run['tokens_read'] / 1e6:.1f} million tokens" in card
    assert f"{record['n_weights']:,}" in card
    assert f"{100 * record['unknown_share']:.1f}% of the tokens" in card.replace(
        "\n", " "
    )
    assert model.n_tokens_ == record["tokens_read"]
    n_weights = sum(p.numel() for p in model.network_.parameters())
    assert n_weights == record["n_weights"]
    assert main(["info", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == n_weights


def test_the_chinese_one_cuts_as_its_texts_were_cut(chinese):
    settings = registry.load("zh").settings["parameters"]
    cut = {name: settings[name] for name in ("input", "sequence", "lowercase")}
    assert cut == {"input": "text", "sequence": "sentence", "lowercase": True}
    assert settings["tokenizer"] is settings["sentence_splitter"] is None
    (tokens,) = ElmoVectorizer(language_model="zh").fit(CHINESE).tokenize(CHINESE[2:])
    assert tokens == [*"太差了。"]
    assert set("房间很干净服务也不错，。") <= set(chinese.vocabulary_)


def test_simplified_and_traditional_characters_are_near(chinese):
    pairs = ["国國", "学學", "员員", "战戰", "东東", "军軍", "线線", "车車"]
    characters = [character for pair in pairs for character in pair]
    vectors = chinese.network_.bilm.token_encoder.word_embedding.weight.detach().numpy()
    rows = vectors[[chinese.vocabulary_.index(each) for each in characters]]
    found = [nearest(rows, characters, character)[0] for character in characters]
    is_pair = [characters[k ^ 1] == other for k, other in enumerate(found)]
    # By chance it is one of fifteen.
    assert sum(is_pair) >= 6


def test_order_of_characters_matters_to_it(chinese):
    text = "这家酒店的房间很干净，服务员的态度也很好。"
    shuffled = "".join(np.random.default_rng(0).permutation([*text[:-1]])) + "。"
    assert chinese.perplexity([text])[2] * 3 < chinese.perplexity([shuffled])[2]


def test_a_pickle_refers_to_it_by_its_name():
    vectorizer = ElmoVectorizer(language_model="zh").fit(CHINESE)
    content = pickle.dumps(vectorizer)
    assert len(content) < 10_000
    read = pickle.loads(content)
    np.testing.assert_array_equal(
        read.transform(CHINESE), vectorizer.transform(CHINESE)
    )
