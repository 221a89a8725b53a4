"""Language model and word vectors of the Chinese hotel reviews' own training texts."""

import shutil

from quality_sides import Elmo, Static, Tfidf, Union
from quality_store import digest

from skelmo import ElmoLanguageModel
from skelmo.baselines import Word2VecVectorizer

MODEL = {"hidden_size": 256, "proj_size": 64, "max_epochs": 3, "random_state": 0}
QUICK_MODEL = {**MODEL, "hidden_size": 32, "proj_size": 16, "max_epochs": 1}


def chinese_sides(task, scratch, quick, train=True):
    """Return what is compared, or None if it is not there and not to be trained."""
    settings = QUICK_MODEL if quick else MODEL
    size = 2 * settings["proj_size"]
    texts = task.texts[task.splits[0][0]].tolist()
    directory = scratch / f"chinese-{digest([settings, texts])}"
    if not directory.is_dir():
        if not train:
            return None
        _train(directory, settings, size, texts)
    elmo = Elmo(str(directory / "model"), scratch / "cache")
    word2vec = Static(directory / f"word2vec-{size}.bin", elmo.tokenize, scratch)
    tfidf = Tfidf("TF-IDF of characters", analyzer="char", ngram_range=(1, 2))
    return [word2vec, elmo, tfidf, Union(elmo, tfidf)]


def _train(directory, settings, size, texts):
    """Train both into a directory that is there only if it is whole."""
    part = directory.with_name(f"{directory.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    ElmoLanguageModel(**settings).fit(texts).save(part / "model")
    word2vec = Word2VecVectorizer(vector_size=size, random_state=0).fit(texts)
    word2vec.save_vectors(part / f"word2vec-{size}.bin")
    part.rename(directory)
