"""The examples in the order in which they teach, and what happens between two."""

import skelmo

# Folder of the pages: title, a sentence, scripts.
SECTIONS = {
    "start": (
        "Is it worth it?",
        "ELMo beside TF-IDF, and both together.",
        ["quickstart", "plot_few_labels", "plot_sentiment"],
    ),
    "classify": (
        "Classify",
        "Which layers and which classifier, what else helps, and what decides.",
        [
            "plot_layers",
            "plot_heads",
            "plot_search",
            "plot_text_and_numbers",
            "plot_token_contributions",
        ],
    ),
    "words": (
        "Words and texts",
        "Vectors of tokens in their context, and texts that are close to one another.",
        ["plot_polysemy", "plot_tagging", "plot_misspellings", "plot_similar_reviews"],
    ),
    "train": (
        "Models of your own text",
        "Pre-training from nothing, and going on from a model that has read much.",
        ["plot_learning_curve", "plot_domain_adaptation", "plot_chinese_reviews"],
    ),
}
ORDER = [f"{script}.py" for *_, scripts in SECTIONS.values() for script in scripts]


def place_of(filename):
    """Return where a script stands in its section; sphinx-gallery sorts by it."""
    return ORDER.index(filename)


def clear_caches(_gallery_conf, _filename):
    """Let no example find what another one has encoded."""
    skelmo.clear_cache()
