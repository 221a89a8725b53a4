"""Directories and archives that hold a model, and those that do not."""

import re
import shutil
import struct
import zipfile

import pytest
from tiny_models import tf_datasets, write_tf

from skelmo.pretrained.bilm_format import read_bilm
from skelmo.pretrained.model_files import ModelFiles


def test_no_such_path(tmp_path):
    message = f"{tmp_path}/elmo: no such directory or zip file. Check the path."

    with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
        read_bilm(tmp_path / "elmo")


def test_a_file_that_is_not_a_zip(tmp_path):
    file = tmp_path / "144.zip"
    file.write_text("Not found", encoding="utf-8")
    message = (
        f"{file}: must be a directory or a zip archive, found another file, which "
        "begins with b'Not found'. Give the directory that holds the model's files."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(file)


def test_a_zip_of_two_models(tmp_path):
    for name in ("a", "b"):
        write_tf(tmp_path / "packed" / name, tf_datasets())
    archive = shutil.make_archive(str(tmp_path / "two"), "zip", tmp_path / "packed")
    message = (
        f"{archive}: must hold one model, found weights in the folders a, b. Unpack it "
        "and give one directory."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(archive)


def test_a_damaged_zip(tmp_path):
    write_tf(tmp_path / "packed", tf_datasets())
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w") as opened:  # stored, not deflated
        for file in sorted((tmp_path / "packed").iterdir()):
            opened.write(file, file.name)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    message = (
        f"{archive}/weights.hdf5: cannot be unpacked: Bad CRC-32 for file "
        "'weights.hdf5'. Download the archive again, or unpack it and give the "
        "directory."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_bilm(archive)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_an_archive_that_would_fill_the_disk_is_not_unpacked(tmp_path, compression):
    archive, n_bytes = tmp_path / "model.zip", 65 * 2**20
    with zipfile.ZipFile(archive, "w", compression) as opened:
        opened.writestr("config.json", b" " * n_bytes)
        opened.writestr("weights.safetensors", b"")
    packed = zipfile.ZipFile(archive).getinfo("config.json").compress_size
    message = (
        f"{archive}/config.json: would be {n_bytes:,} bytes, from {packed:,} in the "
        "archive, which no model is. If you trust it, unpack it and give the directory."
    )

    with (
        ModelFiles(archive) as files,
        pytest.raises(ValueError, match=f"^{re.escape(message)}$"),
    ):
        files.path("config.json")


def test_a_little_file_may_shrink_to_nothing(tmp_path):
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("weights.safetensors", bytes(2**20))
    with ModelFiles(archive) as files:
        assert files.path("weights.safetensors").read_bytes() == bytes(2**20)


@pytest.mark.parametrize("start", [b"", b"PK\x03\x04"], ids=["nothing", "a-header"])
def test_an_archive_that_points_before_its_begin_is_no_archive(tmp_path, start):
    archive = tmp_path / "model.zip"
    # The directory before it is to have more bytes than there are.
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 2**20, 0, 0)
    archive.write_bytes(start + end)
    begin = repr((start + end)[:24])
    message = (
        f"{archive}: must be a directory or a zip archive, found another file, which "
        f"begins with {begin}. Give the directory that holds the model's files."
    )

    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ModelFiles(archive)
