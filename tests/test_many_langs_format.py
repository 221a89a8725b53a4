"""Models of ELMoForManyLangs: what it computes itself, see data/README.md."""

import json
import os
import pickle
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from tiny_models import assert_same_model, tiny_model

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.models.trained import TrainedModel
from skelmo.nn.bilm import BiLMConfig
from skelmo.nn.running import token_vectors
from skelmo.pretrained import many_langs_format, registry
from skelmo.pretrained.safetensors_format import read_model, write_model

DATA = Path(__file__).parent / "data" / "many_langs"
SHARED = Path(os.environ.get("SKELMO_SHARED", Path(__file__).parents[2] / "shared"))
FIXTURES = SHARED / "fixtures" / "many-langs"
NAMES = ["words-characters", "tight-clips", "characters-tanh", "words"]
TOLERANCE = 2e-6  # float32 against float32

pytestmark = pytest.mark.filterwarnings("ignore:ElmoVectorizer. .* longer than")


def sentences_of(folder=DATA):
    return json.loads((folder / "sentences.json").read_text("utf-8"))


def vectorizer_of(path, layers):
    # Unknown words have one row, as in their package.
    return ElmoVectorizer(
        path, input="tokens", layers=layers, unknown_words="characters", device="cpu"
    )


def layers_of(path, sentences):
    """Return (L + 1, T, 2P) for each sentence."""
    vectorizer = vectorizer_of(path, "concat")
    n_layers = registry.load(path).config.n_layers
    return [
        tokens.reshape(len(tokens), n_layers, -1).transpose(1, 0, 2)
        for tokens in vectorizer.transform_tokens(sentences)
    ]


def assert_as_theirs(path, expected, sentences):
    found = layers_of(path, sentences)
    assert len(found) == len(expected.files) == len(sentences)
    for layers, name in zip(found, expected.files, strict=True):
        assert_allclose(layers, expected[name], rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_those_of_their_first_batch(name):
    assert_as_theirs(DATA / name, np.load(DATA / name / "expected.npz"), sentences_of())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_gives_the_same(name, tmp_path):
    model = registry.load(DATA / name)
    many_langs_format.write(model, tmp_path)
    expected = np.load(DATA / name / "expected.npz")
    assert_as_theirs(tmp_path, expected, sentences_of())
    assert_same_model(registry.load(tmp_path), model)
    if model.vocabulary is not None:
        theirs, written = (
            {*(folder / "word.dic").read_text("utf-8").split("\n")[:4]}
            for folder in (DATA / "words-characters", tmp_path)
        )
        assert written == theirs == {"<oov>\t0", "<bos>\t1", "<eos>\t2", "<pad>\t3"}
    last = [line.split("\t")[0] for line in lines_of(tmp_path / "char.dic")[-6:]]
    assert last == ["<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"]


def lines_of(path):
    return path.read_text("utf-8").removesuffix("\n").split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_in_our_own_format_it_is_the_same_without_a_pickle(name, tmp_path):
    model = registry.load(DATA / name)
    write_model(model, tmp_path / "own")
    assert not list((tmp_path / "own").glob("*.pkl"))
    assert_same_model(read_model(tmp_path / "own"), model)
    expected = np.load(DATA / name / "expected.npz")
    assert_as_theirs(tmp_path / "own", expected, sentences_of())
    digests = {
        ElmoLanguageModel.load(path, device="cpu").model_.digest
        for path in (DATA / name, tmp_path / "own")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("in_folder", [False, True], ids=["flat", "folder"])
def test_a_zip_archive_gives_the_same(in_folder, tmp_path):
    source = DATA / "words-characters"
    with zipfile.ZipFile(tmp_path / "179.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, f"german/{file.name}" if in_folder else file.name)
    found = registry.load(tmp_path / "179.zip")
    assert_same_model(found, registry.load(source))
    assert found.source == str(tmp_path / "179.zip")


def test_settings_of_the_architecture_are_theirs():
    config = registry.load(DATA / "tight-clips").config
    assert config == BiLMConfig(
        filters=((1, 4), (2, 3), (3, 5), (5, 4), (7, 6)), char_embedding_dim=4,
        n_highway=2, max_characters=12, word_embedding_dim=5, n_words=13,
        hidden_size=16, proj_size=6, cell_clip=0.2, proj_clip=0.1,
        characters="codepoints", n_characters=config.n_characters, forget_bias=False,
    )  # fmt: skip
    config = registry.load(DATA / "characters-tanh").config
    assert (config.cell_clip, config.proj_clip, config.activation) == (
        None,
        None,
        "tanh",
    )
    config = registry.load(DATA / "words").config
    assert (config.filters, config.char_embedding_dim, config.n_highway) == ((), 0, 0)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"there is no {FIXTURES}")
@pytest.mark.parametrize("name", ["wordchar", "wordonly"])
def test_layers_are_those_of_another_machine(name):
    # In float64: these weights let differences grow from step to step.
    model = TrainedModel.from_saved(registry.load(FIXTURES / name), torch.device("cpu"))
    bilm = model.network.bilm.double()
    expected = np.load(FIXTURES / name / "expected.npz")
    for k, sentence in enumerate(sentences_of(FIXTURES)):
        char_ids, word_ids = model.indexer(["<S>", *sentence, "</S>"])
        with torch.no_grad():
            vectors = token_vectors(bilm, char_ids, word_ids)
            found = bilm(vectors, [1] * len(vectors))
        halves = torch.stack(found.forward), torch.stack(found.backward)
        layers = torch.cat(halves, dim=2)[:, 1:-1].numpy()
        assert_allclose(layers, expected[f"s{k}"], rtol=0, atol=3e-6)


@pytest.mark.parametrize("name", NAMES[:3])
def test_a_token_is_the_same_among_short_and_long_ones(name):
    # Of short tokens only a part of the padding is looked at, whose row is not zero.
    saved = registry.load(DATA / name)
    model = TrainedModel.from_saved(saved, torch.device("cpu"))
    bilm = model.network.bilm.double()
    tokens = ["", "a", "the", "x" * 9, "x" * 10, "x" * 48, "語" * 60, "<bos>", "</S>"]
    char_ids, word_ids = model.indexer(tokens)
    words = word_ids if saved.config.word_embedding_dim else None
    assert saved.arrays["token_encoder.embedding.weight"][saved.config.padding].all()
    with torch.no_grad():
        whole = bilm.token_encoder(
            torch.from_numpy(char_ids), None if words is None else torch.tensor(words)
        )
        for rows_at_once in (1, 3, 100):
            trimmed = token_vectors(bilm, char_ids, words, rows_at_once)
            assert_allclose(trimmed, whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_a_sentence_is_the_same_in_any_batch_order_and_call(name):
    sentences = sentences_of()
    vectorizer = vectorizer_of(DATA / name, "mean")
    expected = vectorizer.transform_tokens(sentences)
    again = vectorizer.transform_tokens(sentences[::-1] * 2)
    for k, one in enumerate(expected):
        alone = vectorizer.transform_tokens([sentences[k]])[0]
        other = again[len(sentences) - 1 - k]
        assert_allclose(alone, one, rtol=0, atol=1e-6)
        assert_allclose(other, one, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_and_a_copy_give_the_same(name):
    model = ElmoLanguageModel.load(DATA / name, input="tokens", device="cpu")
    again = pickle.loads(pickle.dumps(model))
    assert again.model_.alphabet == model.model_.alphabet
    assert again.model_.digest == model.model_.digest
    vectors = [
        ElmoVectorizer(FrozenEstimator(each), input="tokens").transform(sentences_of())
        for each in (model, again)
    ]
    assert_array_equal(*vectors)


def test_models_of_other_alphabets_are_told_apart(tmp_path):
    # Of the same weights: a cache must not take the one for the other.
    model = registry.load(DATA / "words-characters")
    turned = replace(model, alphabet=model.alphabet[::-1])
    write_model(turned, tmp_path)
    digests = {
        ElmoLanguageModel.load(path).model_.digest
        for path in (DATA / "words-characters", tmp_path)
    }
    assert len(digests) == 2


def test_the_mean_of_the_layers_is_their_output_layer_minus_1():
    sentences = sentences_of()
    expected = np.load(DATA / "words-characters" / "expected.npz")
    found = vectorizer_of(DATA / "words-characters", "mean").transform_tokens(sentences)
    for tokens, name in zip(found, expected.files, strict=True):
        assert_allclose(tokens, expected[name].mean(axis=0), rtol=0, atol=TOLERANCE)


def test_of_tokens_beyond_48_characters_is_warned_by_characters():
    message = (
        "ElmoVectorizer: 1 tokens in 1 documents are longer than the 48 characters "
        "that the language model reads of a token; the rest of them is ignored. Use a "
        "tokenizer that cuts shorter tokens if that matters."
    )
    elmo = ElmoVectorizer(DATA / "words-characters", input="tokens")
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        elmo.transform([["語" * 48, "語" * 49]])
    elmo.transform([["語" * 48, "é" * 48]])  # a warning is an error here


# The configuration.


def copy_of(name, tmp_path):
    shutil.copytree(DATA / name, tmp_path / "model")
    return tmp_path / "model"


def point_to(directory, path):
    (directory / "config.json").write_text(json.dumps({"config_path": path}))


@pytest.mark.parametrize("path", ["C:\\elmo\\configs\\words.json", "words.json"])
def test_the_configuration_is_found_by_its_name(path, tmp_path):
    directory = copy_of("words", tmp_path)
    point_to(directory, path)
    assert_same_model(registry.load(directory), registry.load(DATA / "words"))


def test_the_configuration_may_lie_in_a_folder_of_the_model(tmp_path):
    directory = copy_of("words", tmp_path)
    (directory / "configs").mkdir()
    (directory / "words.json").rename(directory / "configs" / "words.json")
    point_to(directory, "configs/words.json")
    assert_same_model(registry.load(directory), registry.load(DATA / "words"))


@pytest.mark.parametrize("path", ["{}/outside.json", "../outside.json"])
def test_a_model_does_not_name_files_outside_of_it(path, tmp_path):
    directory = copy_of("words", tmp_path)
    (directory / "words.json").rename(tmp_path / "outside.json")
    point_to(directory, path.format(tmp_path))
    message = (
        f"{directory}/outside.json: no such file, which 'config.json' names as the "
        "configuration, and none of the samples that skelmo knows. Put the "
        "configuration that the model was trained with beside it."
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        registry.load(directory)


def test_a_sample_that_is_not_there_has_its_published_values(tmp_path):
    directory = copy_of("words-characters", tmp_path)
    (directory / "words-characters.json").unlink()
    point_to(directory, "../configs/cnn_50_100_512_4096_sample.json")
    message = (
        f"{directory}/token_embedder.pkl: tensor 'word_emb_layer.embedding.weight' "
        "must have shape (13, 100) by cnn_50_100_512_4096_sample.json, found (13, 5). "
        "Take all files of one archive."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        registry.load(directory)


# A classifier.


def test_a_softmax_over_the_words_is_read_in_the_order_of_the_vocabulary():
    for name, parts in {
        "characters-tanh": ("hidden2tag.weight", "hidden2tag.bias"),
        "tight-clips": ("column_emb.weight", "column_bias.weight"),
    }.items():
        model = registry.load(DATA / name)
        theirs = torch.load(DATA / name / "classifier.pkl", weights_only=True)
        entries = [line.split("\t") for line in lines_of(DATA / name / "word.dic")]
        number_of = {entry: int(number) for entry, number in entries}
        number_of |= {
            "<S>": number_of["<bos>"],
            "</S>": number_of["<eos>"],
            "<UNK>": number_of["<oov>"],
        }
        assert model.vocabulary[:3] == ["<S>", "</S>", "<UNK>"]
        rows = [number_of[word] for word in model.vocabulary]
        assert sorted(rows) == [*range(13)]
        weight, bias = (theirs[part].numpy() for part in parts)
        assert_array_equal(model.arrays["softmax.weight"], weight[rows])
        assert_array_equal(model.arrays["softmax.bias"], bias.reshape(-1)[rows])
        predicted = ElmoLanguageModel.load(DATA / name, input="tokens")
        assert predicted.perplexity([["the", "ist"]]).mean > 1


def test_another_classifier_is_left_out(tmp_path):
    directory = copy_of("words", tmp_path)
    torch.save({"token_embedder.x": torch.zeros(3)}, directory / "classifier.pkl")
    assert_same_model(registry.load(directory), registry.load(DATA / "words"))


# Training.

TEXTS = ["Das ist ein Haus .", "the Haus ist naïve", "ein the ist ist"] * 60


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.* is trained on .* tokens only")
def test_training_goes_on_from_such_a_model(name, tmp_path):
    start = registry.load(DATA / name)
    model = ElmoLanguageModel(
        init=DATA / name, tokenizer=str.split, max_epochs=2, random_state=0,
        min_count=1, batch_tokens=128, learning_rate_init=0.01,
    )  # fmt: skip
    model.fit(TEXTS)
    assert model.model_.alphabet == start.alphabet
    assert replace(model.config_, n_words=0) == replace(start.config, n_words=0)
    first, last = model.history_
    assert last.train_loss < first.train_loss
    model.save(tmp_path / "own")
    many_langs_format.write(registry.load(tmp_path / "own"), tmp_path / "theirs")
    texts = ["Das ist the Haus"]
    vectors = [
        ElmoVectorizer(tmp_path / kind, tokenizer=str.split).transform(texts)
        for kind in ("own", "theirs")
    ]
    assert_allclose(vectors[0], vectors[1], rtol=0, atol=1e-7)


@pytest.mark.filterwarnings("ignore:.* is trained on .* tokens only")
def test_a_new_model_of_code_points_is_written_and_read(tiny, tmp_path):
    texts = ["Das ist ein Haus", "ein Häuschen 日本 😀 ist das", "Das ist selten ß"]
    model = ElmoLanguageModel(
        **{**tiny, "characters": "codepoints", "word_embedding_dim": 4}
    )
    model.fit([*texts[:2] * 40, texts[2]])
    assert model.config_.n_characters == 6 + len(model.model_.alphabet)
    assert {"ä", "日", "😀"} < {*model.model_.alphabet}
    assert "ß" not in model.model_.alphabet  # once only, and min_count is 2
    counts = {c: "".join(texts[:2]).count(c) for c in model.model_.alphabet}
    assert [*counts.values()][0] == max(counts.values())
    model.save(tmp_path / "own")
    assert ElmoLanguageModel.load(tmp_path / "own").characters == "codepoints"
    many_langs_format.write(model.model_.to_saved({}), tmp_path / "theirs")
    again = ElmoLanguageModel.load(tmp_path / "theirs")
    # The padding of their vocabulary has been given a place, and no probability.
    words = model.vocabulary_
    assert again.vocabulary_ == [*words[:3], "<pad>", *words[3:]]
    assert again.config_.forget_bias is False
    assert_allclose(
        again.score_samples(texts), model.score_samples(texts), rtol=0, atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:.* is trained on .* tokens only")
def test_misspelling_and_words_alone_are_trained(tiny, texts):
    for parameters in (
        {"characters": "codepoints", "misspelling": 0.9},
        {"char_embedding_dim": 0, "word_embedding_dim": 6},
    ):
        model = ElmoLanguageModel(**{**tiny, **parameters}).fit(texts)
        assert 1 < model.perplexity(texts).mean < len(model.vocabulary_)


# What cannot be written.

CODEPOINTS = BiLMConfig(
    filters=((1, 3),), char_embedding_dim=2, max_characters=10, hidden_size=4,
    proj_size=3, characters="codepoints", n_characters=8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"characters": "bytes", "n_characters": 262}, "characters='codepoints'"),
        ({"lowercase": True}, "lowercase=False"),
        ({"skip_connections": False}, "skip_connections=True"),
        ({"token_projection": False}, "a token projection"),
        ({"lstm_projection": False, "hidden_size": 3}, "an LSTM projection"),
    ],
)
def test_what_their_network_lacks_is_refused(changes, needed, tmp_path):
    config = replace(CODEPOINTS, **changes)
    alphabet = ["a", "b"] if config.characters == "codepoints" else None
    message = (
        f"The format of ELMoForManyLangs needs a model with {needed}, which this one "
        "is not. Save it in skelmo's own format."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        many_langs_format.write(tiny_model(config, alphabet=alphabet), tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("entry", [" ", "\xa0", "\t", "\n", "\u2028", "\udc80"])
def test_an_entry_that_would_be_another_one_is_refused(entry, tmp_path):
    model = tiny_model(CODEPOINTS, alphabet=["a", entry])
    message = (
        f"char.dic: the format of ELMoForManyLangs cannot hold the entry {entry!r}, of "
        "white space, line breaks or half a character. Save the model in skelmo's own "
        "format."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        many_langs_format.write(model, tmp_path)


def test_bytes_and_hdf5_do_not_take_code_points(tmp_path):
    model = tiny_model(CODEPOINTS, alphabet=["a", "b"])
    message = (
        "The AllenNLP/bilm-tf format reads characters as bytes and adds 1 to the "
        "forget gate; the model has characters='codepoints' and forget_bias=True. "
        "Save it in skelmo's own format, or as ELMoForManyLangs reads it."
    )
    from skelmo.pretrained.bilm_format import write_bilm

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        write_bilm(model, tmp_path)


def test_a_model_of_skelmo_is_not_written_over(tmp_path):
    model = tiny_model(CODEPOINTS, alphabet=["a", "b"])
    write_model(model, tmp_path)
    message = (
        f"{tmp_path}: holds a model of skelmo, which would be read instead. Give "
        "another directory."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        many_langs_format.write(model, tmp_path)
    assert_same_model(registry.load(tmp_path), model)
