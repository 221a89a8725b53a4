"""Chinese hotel reviews: the model in the package, and what is made of their texts."""

import shutil

from quality_sides import Elmo, Static, Tfidf, Union
from quality_store import digest

from skelmo import ElmoLanguageModel
from skelmo.baselines import Word2VecVectorizer

MODEL = {"hidden_size": 256, "proj_size": 64, "max_epochs": 3, "random_state": 0}
QUICK_MODEL = {**MODEL, "hidden_size": 32, "proj_size": 16, "max_epochs": 1}
CHINESE_ELMO, CHINESE_TFIDF = 'ELMo "zh"', "TF-IDF of characters"


def chinese_sides(task, scratch, quick, train=True):
    """Return what is compared; what is not there and not to be trained is left out."""
    settings = QUICK_MODEL if quick else MODEL
    size = 2 * settings["proj_size"]
    texts = task.texts[task.splits[0][0]].tolist()
    directory = scratch / f"chinese-{digest([settings, texts])}"
    if train and not directory.is_dir():
        _train(directory, settings, size, texts)
    own = []
    if directory.is_dir():
        elmo = Elmo(str(directory / "model"), scratch / "cache")
        elmo.name = "ELMo of these reviews"
        file = directory / f"word2vec-{size}.bin"
        own = [Static(file, elmo.tokenize, scratch), elmo]
    return [*own, *bundled_sides(scratch)]


def bundled_sides(scratch):
    """Return the model in the package, TF-IDF of characters, and both."""
    elmo = Elmo("zh", scratch / "cache")
    elmo.name = CHINESE_ELMO
    tfidf = Tfidf(CHINESE_TFIDF, analyzer="char", ngram_range=(1, 3))
    return [elmo, tfidf, Union(elmo, tfidf)]


def _train(directory, settings, size, texts):
    """Train both into a directory that is there only if it is whole."""
    part = directory.with_name(f"{directory.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    ElmoLanguageModel(**settings).fit(texts).save(part / "model")
    word2vec = Word2VecVectorizer(vector_size=size, random_state=0).fit(texts)
    word2vec.save_vectors(part / f"word2vec-{size}.bin")
    part.rename(directory)
