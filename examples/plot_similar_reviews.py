"""
Similar reviews: search by meaning
==================================

A customer writes that something does not last. Which of 400 product reviews say so too,
in whatever words? The bundled English model finds them without any training.
"""

import matplotlib.pyplot as plt

import skelmo
from skelmo.datasets import load_reviews

# %%
# Search
# ------
#
# The reviews are encoded once; a query is compared with all of them.

reviews = load_reviews().data
features = skelmo.ElmoVectorizer(pooling="mean").transform(reviews)
query = "the battery does not last"
found = skelmo.nearest(features, [query], k=3)
for row, cosine in zip(found.indices[0], found.similarities[0], strict=True):
    print(f"{cosine:.2f}  {reviews[row]}")

# %%
# Pairs that are alike
# --------------------
#
# Without a query each review looks for its own neighbour. Some that are alike praise
# in the same words, others only in the same manner.

found = skelmo.nearest(features, k=1)
closest = found.similarities[:, 0].argsort()[::-1]
for row in closest[:6:2]:
    print(f"{found.similarities[row, 0]:.2f}  {reviews[row]}")
    print(f"      {reviews[found.indices[row, 0]]}")

# %%
# How alike are neighbours?
# -------------------------
#
# Most reviews have no twin: the cosine about the mean is far below 1.

fig, ax = plt.subplots(layout="constrained")
ax.hist(found.similarities[:, 0], bins=30, color="#4477aa")
ax.set(
    xlabel="cosine with the nearest other review, about the mean",
    ylabel="reviews",
    title="How alike is the most similar review?",
)
plt.show()
