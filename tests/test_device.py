"""Where a network computes, and in what."""

import re
import warnings

import pytest
import torch

from skelmo import ElmoLanguageModel, ElmoVectorizer
from skelmo.nn import device
from skelmo.nn.device import has_bfloat16, torch_device, working_precision


def test_auto_is_the_gpu_where_there_is_one(monkeypatch):
    # That a device works is tried by a tensor on it.
    class Tensor:
        def __init__(self, *size, device):
            self.device = device

    monkeypatch.setattr(torch, "empty", Tensor)
    for found, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=found: found)
        assert torch_device("auto") == torch.device(expected)
        assert torch_device("cpu") == torch.device("cpu")


def test_a_device_is_named_as_tensors_there_name_it():
    for name in ("cpu", "meta"):
        assert torch_device(name) == torch.zeros(1, device=name).device


def test_auto_precision_is_bfloat16_where_a_gpu_has_it(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    for has_it, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda has_it=has_it: has_it
        )
        assert working_precision("auto", gpu) == expected
        assert working_precision("auto", cpu) == "float32"
        assert working_precision("float32", gpu) == "float32"
        assert working_precision("bfloat16", gpu) == "bfloat16"


def test_either_instruction_will_do(instructions, monkeypatch):
    cpu = torch.device("cpu")
    instructions(False)
    assert not has_bfloat16(cpu)
    assert has_bfloat16(torch.device("cuda"))
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        with monkeypatch.context() as patch:
            patch.setattr(torch.cpu, name, lambda: True)
            assert has_bfloat16(cpu)
    monkeypatch.setattr(device.platform, "machine", lambda: "arm64")
    assert has_bfloat16(cpu)


def test_bfloat16_says_once_in_a_call_that_it_is_slow(
    instructions, frozen, tiny, texts
):
    message = (
        "{} computes in bfloat16, which this CPU has no instructions for: it "
        "multiplies rounded numbers in float32, which is no faster than float32. Set "
        "precision='float32'."
    )
    vectorizer = ElmoVectorizer(language_model=frozen, precision="bfloat16")
    model = ElmoLanguageModel(**tiny, precision="bfloat16")
    calls = (
        (vectorizer, lambda: vectorizer.fit(texts[:5])),
        (vectorizer, lambda: vectorizer.fit_transform(texts[:5])),
        (vectorizer, lambda: vectorizer.transform(texts[:5])),
        (vectorizer, lambda: vectorizer.transform_tokens(texts[:5])),
        (model, lambda: model.fit(texts)),
    )
    for estimator, call in calls:
        expected = re.escape(message.format(type(estimator).__name__))
        instructions(False)
        with pytest.warns(UserWarning, match=f"^{expected}$") as record:
            call()
        assert [warning.filename for warning in record] == [__file__]
        instructions(True)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call()
