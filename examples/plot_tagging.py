"""
Token vectors for tagging: put the punctuation back
===================================================

`transform_tokens` gives a vector for each token, from which a linear classifier can
tag texts. Here it restores punctuation: texts are lower-cased and lose their commas and
full stops, and for each token the classifier says which mark, if any, stood behind it.
The labels come with the texts. Layer 0 knows the spelling of the token alone; layers 1
and 2 know what stands around it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skelmo import ElmoVectorizer, tokenize
from skelmo.datasets import load_docstrings
from skelmo.display.looks import PALE, look_of

# %%
# Tokens and their tags
# ---------------------
#
# Three docstrings make a text, so that a full stop may stand anywhere.

docstrings = np.random.default_rng(0).permutation(load_docstrings().data)[:2700]


def without_marks(text):
    """Return tokens in lower case without marks, and the mark behind each."""
    tokens, marks = [], []
    for token in tokenize(text):
        if token not in {",", "."}:
            tokens.append(token.lower())
            marks.append("none")
        elif marks:
            marks[-1] = token
    return tokens, marks


tagged = [without_marks(" ".join(part)) for part in docstrings.reshape(-1, 3)]
tokens, tags = zip(*tagged, strict=True)
print(list(zip(*tagged[0], strict=True))[:12])

# %%
# A vector for each token
# -----------------------
#
# With ``input="tokens"`` a document is a list of tokens, so there is a row for each of
# them. The layers stand side by side, and are taken apart by `reshape`.

elmo = ElmoVectorizer(layers="concat", input="tokens").fit(tokens)
vectors = [array.reshape(len(array), 3, -1) for array in elmo.transform_tokens(tokens)]

# %%
# One classifier for each layer
# -----------------------------
#
# Whole texts are held out, not single tokens.

n_train = 700
train_y, test_y = np.concatenate(tags[:n_train]), np.concatenate(tags[n_train:])
MARKS = {".": "full stop", ",": "comma"}
scores, taggers = [], []
for layer in range(3):
    tagger = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    tagger.fit(np.concatenate([v[:, layer] for v in vectors[:n_train]]), train_y)
    found = tagger.predict(np.concatenate([v[:, layer] for v in vectors[n_train:]]))
    scores.append(f1_score(test_y, found, labels=list(MARKS), average=None))
    taggers.append(tagger)
scores = pd.DataFrame(scores, columns=list(MARKS)).rename_axis("layer")
print(pd.Series(test_y).value_counts())
print(scores.round(2))

# %%
# What context adds
# -----------------
#
# Right, a text that was held out; the marks that it had are shown behind its tokens.

shown = next(
    k
    for k in range(n_train, len(tags))
    if 16 <= len(tags[k]) <= 20 and {",", "."} <= set(tags[k])
)
chances = np.stack(
    [
        1 - t.predict_proba(vectors[shown][:, k])[:, list(t.classes_).index("none")]
        for k, t in enumerate(taggers)
    ],
    axis=1,
)
fig, (left, right) = plt.subplots(
    ncols=2, figsize=(8, 4.5), layout="constrained", width_ratios=[1.15, 1]
)
for k, (mark, name) in enumerate(MARKS.items()):
    color, marker = look_of(k)
    left.plot(scores.index, scores[mark], color=color, marker=marker, markersize=8)
    left.annotate(
        name, (2, scores[mark][2]), (0, 9), textcoords="offset points",
        ha="right", color=color,
    )  # fmt: skip
LAYERS = ["0\nspelling", "1\ncontext", "2\ncontext"]
left.set_xticks(range(3), LAYERS)
left.set(ylim=(0, 1), xlabel="layer", ylabel="F1 on held-out texts")
left.set_title("Marks put back", size=11)
left.grid(color=PALE, linewidth=0.8)
left.set_axisbelow(True)
left.spines[["top", "right"]].set_visible(False)

image = right.imshow(chances, cmap="cividis", vmin=0, vmax=1, aspect="auto")
words = [
    f"{token}  {'' if tag == 'none' else tag}"
    for token, tag in zip(tokens[shown], tags[shown], strict=True)
]
right.set_yticks(range(len(words)), words, size=9)
for label, tag in zip(right.get_yticklabels(), tags[shown], strict=True):
    label.set_weight("normal" if tag == "none" else "bold")
right.tick_params(axis="y", length=0)
right.set_xticks(range(3), LAYERS)
right.set_xlabel("layer")
right.set_title("One text (bold: a mark follows)", size=11)
fig.colorbar(image, ax=right, label="probability that a mark follows")
plt.show()

# %%
# The spelling of a token says little of the mark behind it: layer 0 hardly finds any.
# With context most full stops come back, for the two directions of the model know how
# sentences end and how they begin. Commas are rarer here and freer, and stay hard.
#
# To try next: all three layers side by side, or tags of your own, such as names.
