"""Parts of `fuzz.py`: damaged files of every format that skelmo reads."""

import gzip
import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import sqlite3
import zipfile
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch

from skelmo.baselines.vector_files import read_vectors, write_vectors
from skelmo.cli.options import TableOptions
from skelmo.cli.table_files import rows_of, table_of
from skelmo.encoding.disk_cache import FILE_NAME, DiskCache
from skelmo.nn.bilm import BiLMConfig
from skelmo.pretrained import many_langs_format
from skelmo.pretrained.bilm_format import read_bilm, write_bilm
from skelmo.pretrained.safetensors_format import read_model, write_model
from skelmo.pretrained.saved_model import SavedModel, expected_shapes
from skelmo.training.checkpoint import Checkpoint, Checkpointer

BOMB_BYTES = 300 * 2**20  # what a small archive may claim to hold


class Wrong(Exception):
    """What was read is not what stands in the file."""


class Bomb:
    """Make a file when a pickle of it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# Damage.


def mutated(rng, content, others, bomb):
    """Return bytes damaged by some of the ways below."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(DAMAGES)(rng, content, others, bomb)
    return content


def _flip(rng, content, others, bomb):
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20)) if content else 0):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _flip_head(rng, content, others, bomb):
    head = rng.choice((16, 100, 400))
    return _flip(rng, content[:head], others, bomb) + content[head:]


def _cut(rng, content, others, bomb):
    if rng.random() < 0.3:
        return content[: max(0, len(content) - rng.randint(1, 20))]
    return content[: rng.randrange(len(content) + 1)]


def _remove(rng, content, others, bomb):
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.choice((1, 4, 100)) :]


def _repeat(rng, content, others, bomb):
    start = rng.randrange(len(content) + 1)
    end = start + rng.choice((1, 8, 200))
    return content[:end] + content[start:]


def _blank(rng, content, others, bomb):
    start, size = rng.randrange(len(content) + 1), rng.choice((1, 8, 512, 4096))
    filler = bytes([rng.choice((0, 255, 32))])
    return (
        content[:start] + filler * len(content[start:][:size]) + content[start:][size:]
    )


def _insert(rng, content, others, bomb):
    start = rng.randrange(len(content) + 1)
    piece = rng.choice((b"\n", b"\r", b'"', b",", b"\t", b"\0", b"\xff", b" ", b"1"))
    piece = rng.choice((piece, rng.randbytes(rng.choice((1, 4, 50))), bomb))
    return content[:start] + piece + content[start:]


def _splice(rng, content, others, bomb):
    other = rng.choice(others)
    return (
        content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other)) :]
    )


def _head(rng, content, others, bomb):
    other, size = rng.choice(others), rng.choice((4, 16, 100))
    return other[:size] + content[size:]


def _digit(rng, content, others, bomb):
    """Write another digit: damage that leaves the form whole."""
    places = [match.start() for match in re.finditer(rb"\d", content[:4000])]
    if not places:
        return content
    place = rng.choice(places)
    return content[:place] + str(rng.randrange(10)).encode() + content[place + 1 :]


def _bomb(rng, content, others, bomb):
    return bomb


DAMAGES = [
    _flip, _flip, _flip_head, _cut, _remove, _repeat, _blank, _insert, _splice, _head,
    _digit, _bomb,
]  # fmt: skip


class Case:
    """The draws of one case, and a trap that must not go off."""

    def __init__(self, directory, part, seed, number):
        self.rng = random.Random(f"{part}-{seed}-{number}")
        self.trap = directory / "trap"
        self.bomb = pickle.dumps(Bomb(self.trap), protocol=self.rng.choice((0, 2, 4)))

    def damage(self, content, others):
        return mutated(self.rng, content, others, self.bomb)

    def check(self):
        if self.trap.exists():
            raise Wrong("a pickle was opened")


@cache
def others():
    """Return contents of every format."""
    table = pd.DataFrame({"text": ["a b", "c, d"], "label": [0, 1]})
    packed = gzip.compress(b"a 1 2\nb 3 4\n")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("weights.safetensors", b"a" * 200)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a)")
    return [
        table.to_csv(index=False).encode(), table.to_parquet(index=False), packed,
        archive.getvalue(), connection.serialize(), b'{"text": "a b"}\n' * 20,
        b"\x89HDF\r\n\x1a\n" + bytes(100), b"3 4\na 1 2 3 4\n", b"<html>" * 30,
    ]  # fmt: skip


def fresh(path):
    """Return a new, empty directory."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def error_or(read):
    """Return what `read` gives, or the error that it documents."""
    try:
        return read(), None
    except (ValueError, OSError) as error:
        return None, error


# Models.

CONFIG = BiLMConfig(
    filters=((1, 3), (2, 5)), char_embedding_dim=4, n_highway=1, max_characters=50,
    hidden_size=6, proj_size=7, num_layers=2,
)  # fmt: skip


def random_model(softmax=True):
    """Return a model of random weights."""
    rng, words = np.random.default_rng(0), ["<UNK>", "a", "the"]
    shapes = expected_shapes(CONFIG)
    if softmax:
        shapes |= {"softmax.weight": (3, 7), "softmax.bias": (3,)}
    arrays = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    arrays["token_encoder.embedding.weight"][0] = 0.0
    settings = {"lowercase": False, "n_tokens": 1234, "note": "of random numbers"}
    return SavedModel(
        CONFIG, arrays, settings if softmax else {}, softmax and words or None
    )


def is_same(model, other):
    return (
        (model.config, model.settings, model.vocabulary)
        == (other.config, other.settings, other.vocabulary)
        and model.arrays.keys() == other.arrays.keys()
        and all(
            array.tobytes() == other.arrays[name].tobytes()
            for name, array in model.arrays.items()
        )
    )


def check_sound(model):
    """Raise unless a model that is not the original is at least whole."""
    shapes = expected_shapes(model.config)
    for name, array in model.arrays.items():
        if name in shapes and array.shape != shapes[name]:
            raise Wrong(f"shape of {name}")
        if not np.isfinite(array).all():
            raise Wrong(f"{name} is not finite")


def sign(files):
    """Put the hashes of damaged files into the configuration, as an attacker would."""
    try:
        config = json.loads(files["config.json"])
        for name in config["sha256"].keys() & files.keys() - {"config.json"}:
            config["sha256"][name] = hashlib.sha256(files[name]).hexdigest()
        config["sha256"].pop("config.json", None)
        files["config.json"] = json.dumps(config).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass


def zipped(rng, files, bomb):
    """Return an archive, perhaps of names and sizes that no model has."""
    content = io.BytesIO()
    names = {name: name for name in files}
    trick = rng.choice(("none", "none", "folder", "escape", "large", "twice", "pickle"))
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        if trick == "folder":
            names = {name: f"a/b/{name}" for name in files}
        if trick == "escape":
            names[rng.choice([*files])] = "../../escaped.safetensors"
        for name, data in files.items():
            archive.writestr(names[name], data)
        if trick == "twice":
            name = rng.choice([*files])
            archive.writestr(names[name], files[name][::-1])
        if trick == "pickle":
            archive.writestr("weights.pkl", bomb)
        if trick == "large" and rng.random() < 0.03:
            name = rng.choice([*files])
            archive.writestr(names[name], b" " * BOMB_BYTES)
    return content.getvalue()


def put_model(case, directory, whole):
    """Write a damaged model; return its path and whether hashes were made to fit."""
    rng, files, signed = case.rng, dict(whole), case.rng.random() < 0.4
    in_archive = rng.random() < 0.35
    damage_archive = in_archive and rng.random() < 0.5
    if not damage_archive:
        name = rng.choice([*files])
        files[name] = case.damage(files[name], [*others(), *whole.values()])
        if signed:
            sign(files)
    place = fresh(directory / "place")
    if not in_archive:
        for name, data in files.items():
            (place / name).write_bytes(data)
        return place, signed
    content = zipped(rng, files, case.bomb)
    if damage_archive:
        content = case.damage(content, others())
    (place / "model.zip").write_bytes(content)
    return place / "model.zip", signed and not damage_archive


def check_escape(directory):
    """Raise if an archive's own names have reached the file system."""
    for parent in (directory, *directory.parents):
        if (parent / "escaped.safetensors").exists():
            raise Wrong("a file was written elsewhere")


def model(directory, seed):
    """Return a check of a damaged model: refused, or exactly the original."""
    original = random_model()
    write_model(original, directory / "whole")
    whole = {path.name: path.read_bytes() for path in (directory / "whole").iterdir()}

    def check(number):
        case = Case(directory, "model", seed, number)
        path, signed = put_model(case, directory, whole)
        found, error = error_or(lambda: read_model(path))
        case.check()
        check_escape(directory)
        if error is not None:
            if str(path) not in str(error):
                raise Wrong(f"an error without the file: {error!r}")
            raise error
        if is_same(found, original):
            return "same"
        if not signed:
            raise Wrong(f"another model: {found.config}, {found.settings}")
        check_sound(found)
        return "another, signed anew"

    return check


def bilm(directory, seed):
    """Return a check of damaged HDF5: the format has no sum of the whole to check."""
    write_bilm(random_model(softmax=False), directory / "whole")
    whole = {path.name: path.read_bytes() for path in (directory / "whole").iterdir()}

    def check(number):
        case, files = Case(directory, "bilm", seed, number), dict(whole)
        name = case.rng.choice(["weights.hdf5", "weights.hdf5", "options.json"])
        files[name] = case.damage(files[name], [*others(), *whole.values()])
        place = fresh(directory / "place")
        for each, data in files.items():
            (place / each).write_bytes(data)
        found = read_bilm(place)
        case.check()
        check_sound(found)
        if found.arrays.keys() != expected_shapes(found.config).keys():
            raise Wrong("arrays are missing")
        return "whole"

    return check


def many_langs_model():
    """Return a model of code points and words of random weights."""
    rng, alphabet = np.random.default_rng(0), [*"abcdeéж好", "\u3000"]
    words = ["<S>", "</S>", "<UNK>", "<pad>", "abc", "жé", "\u3000"]
    config = replace(
        CONFIG, characters="codepoints", n_characters=6 + len(alphabet),
        word_embedding_dim=3, n_words=len(words), forget_bias=False, hidden_size=24,
    )  # fmt: skip
    shapes = expected_shapes(config)
    shapes |= {"softmax.weight": (len(words), 7), "softmax.bias": (len(words),)}
    arrays = {
        name: rng.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    return SavedModel(config, arrays, {}, words, alphabet=alphabet)


def armed(case):
    """Return tensors beside what would make a directory, as torch.save writes them."""
    content, value = io.BytesIO(), {"a": torch.zeros(3), "b": Bomb(case.trap)}
    is_archive = case.rng.random() < 0.5
    torch.save(value, content, _use_new_zipfile_serialization=is_archive)
    return content.getvalue()


def put_many_langs(case, directory, whole):
    """Write a damaged model; return its path."""
    rng, files, dangerous = case.rng, dict(whole), armed(case)
    pickles = [name for name in files if name.endswith(".pkl")]
    chosen = rng.choices([*pickles, *pickles, *files], k=rng.choice((1, 1, 2)))
    for name in dict.fromkeys(chosen):
        pool = [*others(), *whole.values(), dangerous]
        files[name] = case.damage(files[name], pool)
        if rng.random() < 0.05:
            files[name] = dangerous
    place = fresh(directory / "place")
    if rng.random() < 0.7:
        for name, data in files.items():
            (place / name).write_bytes(data)
        return place
    content = zipped(rng, files, case.bomb)
    if rng.random() < 0.3:
        content = case.damage(content, others())
    (place / "model.zip").write_bytes(content)
    return place / "model.zip"


def many_langs(directory, seed):
    """Return a check of files of ELMoForManyLangs: no sum of any of them to check."""
    original = many_langs_model()
    many_langs_format.write(original, directory / "whole")
    whole = {path.name: path.read_bytes() for path in (directory / "whole").iterdir()}

    def check(number):
        case = Case(directory, "many_langs", seed, number)
        path = put_many_langs(case, directory, whole)
        found, error = error_or(lambda: many_langs_format.read(path))
        case.check()
        check_escape(directory)
        if error is not None:
            if str(path) not in str(error) or "weights_only" in str(error):
                raise Wrong(f"a message that does not help: {error!r}")
            raise error
        if is_same(found, original) and found.alphabet == original.alphabet:
            return "same"
        check_sound(found)
        if not found.arrays.keys() >= expected_shapes(found.config).keys():
            raise Wrong("arrays are missing")
        return "whole"

    return check


# Checkpoints.


def checkpoint(directory, seed):
    """Return a check of damaged checkpoints: an earlier whole one, or none."""
    rng = np.random.default_rng(0)
    tensors = [
        {"a": torch.from_numpy(rng.standard_normal((20, k)).astype(np.float32))}
        for k in (3, 4)
    ]
    states = [{"epoch": k, "seconds": 1.5, "history": [[1, 2.0]]} for k in range(2)]
    fresh(directory / "whole")
    writer = Checkpointer(directory / "whole", "run")
    for k in range(2):
        writer.write(Checkpoint(tensors[k], states[k]), k)
    paths = sorted((directory / "whole" / "run").iterdir())
    whole = [path.read_bytes() for path in paths]

    def check(number):
        case = Case(directory, "checkpoint", seed, number)
        place = fresh(directory / "place") / "run"
        place.mkdir()
        damaged = case.damage(whole[1], [*others(), whole[0]])
        signed = case.rng.random() < 0.4
        if signed:
            damaged = damaged[:-32] + hashlib.sha256(damaged[:-32]).digest()
        for path, content in zip(paths, (whole[0], damaged), strict=True):
            (place / path.name).write_bytes(content)
        found = Checkpointer(directory / "place", "run").read()
        case.check()
        for k in range(2):
            same = found.state == states[k] and found.tensors.keys() == {"a"}
            if same and torch.equal(found.tensors["a"], tensors[k]["a"]):
                return ("the one before", "same")[k]
        if not signed:
            raise Wrong("another state")
        return "another, signed anew"

    return check


# Word vectors.


def naive_text(content):
    """Return words and numbers as a plain reading of a text file gives them."""
    lines = content.decode().split("\n")
    fields = content.split(b"\n")[0].split()  # at white space of ASCII alone
    start = len(fields) == 2 and all(field.isdigit() for field in fields)
    dim = int(fields[1]) if start else len(fields) - 1
    rows = {}
    for line in lines[start:]:
        fields = line.rstrip().split(" ")
        if len(fields) > 1:
            numbers = np.array([float(field) for field in fields[-dim:]], np.float32)
            rows.setdefault(" ".join(fields[:-dim]), numbers)
    return rows


def naive_binary(content):
    head, _, content = content.partition(b"\n")
    n_words, dim = map(int, head.split())
    rows = {}
    for _ in range(n_words):
        word, _, content = content.partition(b" ")
        numbers = np.frombuffer(content[: 4 * dim], "<f4")
        rows.setdefault(word.replace(b"\n", b"").decode(), numbers)
        content = content[4 * dim :]
    return rows


def vectors(directory, seed):
    """Return a check of damaged vectors: refused, or what plain reading gives."""
    rng = np.random.default_rng(0)
    words = ["the", "of", "naïve", "我们", *(f"word{k}" for k in range(30))]
    numbers = rng.standard_normal((len(words), 5)).astype(np.float32)
    whole = {}
    for name in ("v.txt", "v.bin", "v.txt.gz", "v.bin.gz"):
        write_vectors(directory / name, words, numbers, "Fuzz")
        whole[name] = (directory / name).read_bytes()
    whole["glove.txt"] = whole["v.txt"].partition(b"\n")[2]

    def check(number):
        case = Case(directory, "vectors", seed, number)
        name = case.rng.choice([*whole])
        content = case.damage(whole[name], [*others(), *whole.values()])
        path = fresh(directory / "place") / name
        path.write_bytes(content)
        found, vectors = read_vectors(path, None)
        case.check()
        if not np.isfinite(vectors).all():
            raise Wrong("numbers that are not finite")
        try:
            if content.startswith(b"\x1f\x8b"):  # whatever the name says
                content = gzip.decompress(content)
            sized = re.match(rb"\s*\d+\s+\d+\s*$", content.split(b"\n")[0])
            naive = naive_binary if ".bin" in name and sized else naive_text
            expected = naive(content)
        except (ValueError, EOFError, OSError) as error:
            raise Wrong(f"{name} accepted, though {error!r}; {found[:3]!a}") from error
        if found != [*expected]:
            raise Wrong(f"{name}: words {found[:4]!a}, not {[*expected][:4]!a}")
        if vectors.tobytes() != np.stack([*expected.values()]).tobytes():
            raise Wrong(f"{name}: other numbers")
        return "as read plainly"

    return check


# The cache's database.


def database(directory, seed):
    """Return a check of a damaged cache: what was put, or nothing."""
    rng = np.random.default_rng(0)
    keys = [rng.bytes(16) for _ in range(40)]
    values = [
        rng.standard_normal((1 + k % 3, 2, 40)).astype(np.float32) for k in range(40)
    ]
    writer = DiskCache(directory / "whole")
    writer.put(keys[:30], values[:30])
    whole = (directory / "whole" / FILE_NAME).read_bytes()

    def check(number):
        case = Case(directory, "database", seed, number)
        place = fresh(directory / "place")
        (place / FILE_NAME).write_bytes(case.damage(whole, others()))
        if case.rng.random() < 0.1:
            suffix = case.rng.choice(("-wal", "-shm", "-journal"))
            (place / f"{FILE_NAME}{suffix}").write_bytes(case.rng.choice(others()))
        damaged = DiskCache(place)
        n_kept, n_after = compare(damaged.get(keys), values), 0
        for _ in range(3):  # what is damaged may come to light at any use
            damaged.put(keys[20:], values[20:])
            n_after = max(n_after, compare(damaged.get(keys), values))
        error_or(damaged.info)
        case.check()
        if n_after < 20:  # of what was just put
            raise Wrong(f"{n_after} values after 20 were put")
        return "all there" if n_kept == 30 else "some there" if n_kept else "none there"

    return check


def compare(found, values):
    """Return how many values were found; raise if one is another."""
    kept = [(a, b) for a, b in zip(found, values, strict=True) if a is not None]
    for mine, yours in kept:
        if mine.shape != yours.shape or mine.tobytes() != yours.tobytes():
            raise Wrong("a cache gives another value")
    return len(kept)


# Tables.

OPTIONS = TableOptions(format=None, no_header=False, separator=None, on_error="error")


def plain_table(name, content):
    """Return the columns as a reading of the whole file at once gives them."""
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), gzip.decompress(content)
    if name.endswith(".parquet"):
        # What pandas notes beside the columns says nothing of this one.
        return pq.read_table(io.BytesIO(content), columns=["text"]).to_pydict()
    if name.endswith(".jsonl"):
        lines = content.decode("utf-8-sig").split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name) for row in rows] for name in names}
    frame = pd.read_csv(
        io.BytesIO(content), sep="\t" if ".tsv" in name else ",", dtype=str,
        keep_default_na=False, na_values=[""], encoding="utf-8-sig", index_col=False,
    )  # fmt: skip
    return {str(name): frame[name].tolist() for name in frame}


def tables(directory, seed):
    """Return a check of a damaged table: refused, or what pandas gives."""
    texts = ["a b", 'He said: "no".', "tab\tand, comma", "line\nbreak", "我们", "ü é"]
    frame = pd.DataFrame({"text": texts * 8, "label": range(48)})
    whole = {
        "t.csv": frame.to_csv(index=False).encode(),
        "t.tsv": frame.to_csv(index=False, sep="\t").encode(),
        "t.jsonl": frame.to_json(orient="records", lines=True).encode(),
        "t.parquet": frame.to_parquet(index=False),
    }
    whole |= {f"{k}.gz": gzip.compress(v, mtime=0) for k, v in whole.items()}
    del whole["t.parquet.gz"]

    def check(number):
        case = Case(directory, "tables", seed, number)
        name = case.rng.choice([*whole])
        content = case.damage(whole[name], [*others(), *whole.values()])
        path = fresh(directory / "place") / name
        path.write_bytes(content)
        parts = [*rows_of(table_of(str(path), OPTIONS), ["text"], size=7)]
        case.check()
        found = [value for part in parts for value in part.values[0]]
        try:
            expected = plain_table(name, content)["text"]
        except Exception as error:
            raise Wrong(f"{name} accepted, though {error!r}") from error
        expected = [
            None if value is None or value != value else value for value in expected
        ]
        if found != expected:
            raise Wrong(f"{name}: {len(found)} rows, expected {len(expected)}")
        return "as read plainly"

    return check


PARTS = {
    "model": model, "bilm": bilm, "many_langs": many_langs, "checkpoint": checkpoint,
    "vectors": vectors, "database": database, "tables": tables,
}  # fmt: skip
