"""Numbers that pages repeat are those of the records that they come from.

A function for each page yields what it says, with {} for each number, and the numbers
of the records, which the page may round. What is said but once is its own record.
"""

import pytest
from records import BundledModel, cell, cells, numbers_that_differ, said, span, tables

EVALUATION = "docs/evaluation.md"
COMPARED = "docs/user_guide/compared.md"
BENCHMARKS = "benchmarks/README.md"
CLASSIFIERS, ENCODING, MACHINES, SEARCHING, TRAINING = (
    f"{BENCHMARKS}#{section}"
    for section in (
        "Classifiers", "Encoding", "Many machines", "Searching", "Training",
    )
)  # fmt: skip
EN = BundledModel("en", "docs/model_card")
ZH = BundledModel("zh", "docs/model_card_zh")
PACKAGE = EN.megabytes() + ZH.megabytes()  # all else in it is small


def accuracy(side):
    """Return that of pooled features on SST-2 and on TREC, with all labels."""
    return [cell(EVALUATION, side, task)[0] for task in ("SST-2", "TREC")]


def head(name):
    """Return accuracy, error and minutes of a classifier on SST-2, and on TREC."""
    # The columns are 100 labels and all, "all" of each, of TREC, SST-2 and MR.
    return cell(CLASSIFIERS, name, 4), cell(CLASSIFIERS, name, 2)


def in_row(place, row, *columns):
    """Return the first number of some cells of a row."""
    return [cell(place, row, column)[0] for column in columns]


def readme():
    minilm = said(COMPARED, "| weights | {} million, {} MB | {} million, {} MB |")[3]
    yield "| TF-IDF | {} | {} | |", accuracy("TF-IDF")
    yield (
        "| all-MiniLM-L6-v2, frozen | {} | {} | {} MB |",
        [*accuracy("MiniLM"), minilm],
    )
    yield "| ELMo, frozen | {} | {} | {} MB |", [*accuracy("ELMo"), EN.megabytes()]
    yield "| ELMo + TF-IDF | {} | {} | |", accuracy("ELMo + TF-IDF")
    frozen, tuned = head("ELMo frozen, attention"), head("ELMo tuned, attention")
    yield (
        '| `ElmoClassifier(tune="none")`: a head of attention | {} | {} | |',
        [found[0] for found in frozen],
    )
    yield (
        "| `ElmoClassifier()`: tuned by the labels | {} | {} | |",
        [found[0] for found in tuned],
    )
    speed, _ = said(EN.card, "on two, {} and {} sentences of MR")
    yield "One core encodes {} sentences a second", [speed]
    yield "and tuning takes {} to {}.", sorted(found[2] for found in tuned)
    yield "are in the package, {} and {} MB", [EN.megabytes(), ZH.megabytes()]


def changes():
    yield (
        "It has {} words, takes {} MB",
        [EN.architecture["n_words"], EN.megabytes()],
    )


def either_card(model):
    words, last = model.architecture["n_words"], model.runs[-1]
    yield (
        "| weights | {}, of which {} million are the word embedding",
        [model.n_weights, words * model.architecture["word_embedding_dim"] / 1e6],
    )
    yield (
        "| file | float16, {} MB, with the vocabulary {} MB |",
        [model.megabytes(".safetensors"), model.megabytes()],
    )
    yield (
        " | {} filters of widths",
        [sum(number for _, number in model.architecture["filters"])],
    )
    yield "-dimensional vector for each of {}", [words]
    n_cells, size, n_layers = (
        model.architecture[name] for name in ("hidden_size", "proj_size", "num_layers")
    )
    yield (
        "| LSTM | {} layers in each direction, {} cells projected to {} numbers",
        [n_layers, n_cells, size],
    )
    yield (
        "| output | {} layers of {} numbers a token; a document has {},",
        [n_layers + 1, 2 * size, 2 * (n_layers + 1) * 2 * size],
    )
    yield (
        "full softmax of {} words, {}% of the tokens",
        [words, 100 * last["unknown_share"]],
    )
    yield (
        "| forward | backward | geometric mean | |---|---|---| | {} | {} | {} |",
        last["perplexity"],
    )


def english_card():
    yield from either_card(EN)
    tokens = [run["tokens_read"] / 1e6 for run in EN.runs]
    yield (
        "read {} million tokens and then, of which 15% were misspelt, {} million",
        tokens[:2],
    )
    yield "From there it read {} million tokens once", [tokens[2]]
    yield "others, {} million tokens, two thirds of both reviews", [tokens[3]]
    minutes = [EN.runs[2]["seconds"] / 60, EN.runs[3]["seconds_of_last_run"] / 60]
    yield "It took {} minutes on one core of an Intel Xeon", minutes[:1]
    yield "ran beside, and {} of an AMD EPYC's", minutes[1:]
    reviews = ["reviews-film-en", "reviews-open-en", "imdb-train"]
    others = ["wiki-en-1", "wiki-en-2", "books-en"]
    yield (
        "| film reviews | opinions | IMDB, training part | Wikipedia | books | "
        "|---|---|---|---|---| | {} | {} | {} | {} | {} |",
        [
            *map(EN.perplexity, reviews),
            EN.perplexity(*others[:2]),
            EN.perplexity(others[2]),
        ],
    )
    yield (
        "So went {}% of the tokens of the reviews and {}% of the others",
        [EN.left_out(*reviews), EN.left_out(*others)],
    )
    shared, text = "shares eight words with", "is a text of"
    yield (
        "Of {} million sentences of reviews {} shared eight words with a text of MR, "
        "{} with one of SST and {} with one of TREC; {} were a text of SST",
        [
            EN.overlap("sentences", *reviews) / 1e6,
            *(EN.overlap(f"{shared} {x}", *reviews) for x in ("MR", "SST-5", "TREC")),
            EN.overlap(f"{text} SST-5", *reviews),
        ],
    )


def chinese_card():
    yield from either_card(ZH)
    yield (
        "and then read {} million tokens and, each time drawn anew, {} million tokens "
        "and {} million tokens more",
        [run["tokens_read"] / 1e6 for run in ZH.runs],
    )
    yield (
        "| reviews | Wikipedia | |---|---| | {} | {} |",
        [ZH.perplexity(name) for name in ("reviews-zh", "wiki-zh")],
    )
    shared, text = "shares eight words with", "is a text of"
    counted = ["sentences", f"{text} ChnSentiCorp", f"{shared} ChnSentiCorp"]
    counted += ["documents left out", "sentences left out"]
    yield (
        "Of {} sentences of reviews {} were a text of ChnSentiCorp, most of them a few "
        "characters, and {} shared eight characters with one, for set phrases are "
        "common; {} documents and {} sentences went, {}% of the tokens.",
        [
            *(ZH.overlap(name, "reviews-zh") for name in counted),
            ZH.left_out("reviews-zh"),
        ],
    )
    counted = ["sentences", f"{shared} ChnSentiCorp", "sentences left out"]
    yield (
        "Of {} sentences of Wikipedia {} shared eight characters with a hotel review; "
        "{} sentences went.",
        [ZH.overlap(name, "wiki-zh") for name in counted],
    )


def compared():
    yield "| weights | {} million, {} MB |", [EN.n_weights / 1e6, EN.megabytes()]


def installation():
    yield "Chinese model lie in the package, which is why it has {} MB", [PACKAGE]


def tuning():
    sst2, trec = head("ELMo tuned, attention")
    frozen, frozen_trec = head("ELMo frozen, attention")
    yield (
        "an accuracy of {} ± {} on SST-2 (6,920 sentences to train; TF-IDF has {}, "
        "pooled frozen features {}, a head of attention on the frozen model {}), after "
        "{} minutes of one core.",
        [*sst2[:2], accuracy("TF-IDF")[0], accuracy("ELMo")[0], frozen[0], sst2[2]],
    )
    yield (
        "the frozen model with a head is as good: {} ± {}, tuned {}.",
        [*frozen_trec[:2], trec[0]],
    )
    few = [
        cell(CLASSIFIERS, name, f"{task}, 100")[:2]
        for name in ("ELMo tuned, attention", "ELMo pooled, LR")
        for task in ("SST-2", "TREC")
    ]
    yield (
        "tuning has {} ± {} on SST-2 and {} ± {} on TREC, where logistic regression on "
        "pooled features has {} and {}.",
        [*few[0], *few[1], few[2][0], few[3][0]],
    )


def costs():
    for name, row in {
        "skelmo, float32": "skelmo, float32",
        "skelmo, bfloat16": "skelmo, bfloat16",
        "AllenNLP 2.10.1, its best batch": "AllenNLP 2.10.1, batches of 32",
        "simple_elmo 0.9.2, its best batch": "simple_elmo 0.9.2, batches of 32",
    }.items():
        yield f"| {name} | {{}} | {{}} |", in_row(ENCODING, row, "tokens/s", "peak MiB")
    original = [
        cell(ENCODING, f"skelmo, {precision}", "tokens/s", nth=1)[0]
        for precision in ("float32", "bfloat16")
    ]
    yield "Of the original model (4096/512) it is {} in float32 and {} in", original
    alone = [cell(ENCODING, "skelmo, float32", "one", nth)[0] for nth in (0, 1)]
    yield "takes {} milliseconds with the small model and {} with the original", alone
    yield "film reviews, {} million tokens", [cell(ENCODING, "IMDB", "tokens")[0] / 1e6]
    _, error, cosine = said(
        BENCHMARKS,
        "at most {} in float32 and {} in bfloat16, where a sentence's vector has a "
        "cosine of at least {}",
    )
    yield (
        "then differ by up to {}; a sentence's vectors in both precisions have a "
        "cosine of at least {},",
        [error, cosine],
    )
    yield from costs_of_training()


def costs_of_training():
    for row in (
        "skelmo, float32 | sampled",
        "skelmo, float32 | full",
        "straightforward torch | full",
        "ELMoForManyLangs 0.0.4 | sampled",
    ):
        yield f"| {row} | {{}} | {{}} |", in_row(TRAINING, row, "tokens/s", "peak MiB")
    for row in ("1", "4", "16"):
        found = in_row(TRAINING, row, "training", "peak MiB")
        yield f"| {row} | {{}} | {{}} |", found
    for row in ("5,000", "20,000", "80,000"):
        found = in_row(TRAINING, row, "tokens/s, sampled", "tokens/s, full")
        yield f"| {row} | {{}} | {{}} |", found


def scale():
    for exponent in (6, 8, 9):
        documents = f"10<sup>{exponent}</sup>"
        hours = [
            cell(MACHINES, f"{documents} | {cores}", f"hours, {size} a partition")[0]
            for cores in ("1", "16", "1,000")
            for size in ("1,000", "10,000")
        ]
        terabytes = 4 * 3072 * 10**exponent / 1e12
        yield f"| {documents} | {'{} ({}) | ' * 3}{{}} |", [*hours, terabytes]
    alone = "two processes that know nothing of each other"
    for name, row in {
        alone: alone,
        "Ray": "Ray, to Parquet",
        "Dask": "Dask, to arrays",
        "Spark": "Spark, to Parquet",
    }.items():
        columns = "seconds", "documents/s", "of processes' rate"
        yield f"| {name} | {{}} | {{}} | {{}}% |", in_row(MACHINES, row, *columns)
    (rate,) = in_row(MACHINES, alone, "documents/s")
    yield "with AVX-512: {} documents a second of that core", [rate / 2]
    yield "one core of a server reads {} million", [rate / 2 * 3600 / 1e6]


def limits():
    words = said(BENCHMARKS, "about {} words to learn a language from")
    yield "A language model that has read {} words knows little.", words
    found = [best(kind, nth) for nth in (0, 1) for kind in ("ELMo", "TF-IDF")]
    yield (
        "the best pipeline with ELMo reaches an accuracy of {} and TF-IDF {}; on 1,000 "
        "hotel reviews in Chinese it is {} and {}.",
        found,
    )


def best(kind, nth):
    """Return the best accuracy of a kind of features in the main job."""
    _, _, *body = tables(f"{BENCHMARKS}#The main job")[nth]
    rows = [cells(line) for line in body]
    return max(float(score) for name, score, _ in rows if name.startswith(kind))


def pretraining():
    words = said(BENCHMARKS, "about {} words to learn a language from")
    yield "With about {} words of film reviews", words
    mean_of_test = 8  # the heads of the validation part are the same
    yield (
        "four epochs take {} minutes on 2 cores and reach a test perplexity of {},",
        in_row(f"{BENCHMARKS}#WikiText-2", "skelmo 512/128", "minutes", mean_of_test),
    )


def layers():
    yield "film reviews ({} sentences)", said(BENCHMARKS, "all {} sentences of MR, the")
    names = ['"mean"', '"top"', '"concat"', "0", "1", "2", '"learned"']
    found = {name: cell(SEARCHING, name, "accuracy")[0] for name in names}
    errors = [cell(SEARCHING, name, "deviation of folds")[0] for name in names]
    yield (
        'The accuracies are {} for `"mean"`, {} for `"top"`, {} for `"concat"`, {} for '
        'layer 0, {} for 1, and {} for `"learned"`, with deviations over folds of {} '
        "to {}.",
        [*(found[name] for name in names if name != "2"), *span(errors)],
    )


def searching():
    encoded = in_row(SEARCHING, "None", "documents encoded", "seconds of it")
    yield "without a cache {} documents are encoded in {} seconds,", encoded
    kept = in_row(SEARCHING, '"memory"', "documents encoded")
    yield "seconds, with it {} in less than one.", kept


def migrating():
    yield (
        "differ from AllenNLP's by at most {} in",
        said(BENCHMARKS, "at most {} from AllenNLP's tokens in float32"),
    )
    place = f"{BENCHMARKS}#Models of ELMoForManyLangs"
    times = [cell(place, "skelmo", "x", nth)[0] for nth in (0, 1)]
    yield (
        "a network of 512/128 gives {} times as many tokens a second as with their "
        "package, and one of 4096/512, the shape of the published models, {} times;",
        times,
    )


PAGES = {
    "README.md": readme,
    "docs/changes.md": changes,
    "docs/install.md": installation,
    "docs/migrating.md": migrating,
    "docs/model_card.md": english_card,
    "docs/model_card_zh.md": chinese_card,
    "docs/user_guide/compared.md": compared,
    "docs/user_guide/cost.md": costs,
    "docs/user_guide/layers.md": layers,
    "docs/user_guide/limits.md": limits,
    "docs/user_guide/pretraining.md": pretraining,
    "docs/user_guide/scale.md": scale,
    "docs/user_guide/searching.md": searching,
    "docs/user_guide/tuning_end_to_end.md": tuning,
}


@pytest.mark.parametrize("page", PAGES)
def test_pages_repeat_the_records(page):
    assert not numbers_that_differ(page, PAGES[page]())


PAGE = """It reads **1,234** words a second,
and knows 41.6% of them.

| name | size |
|---|---|
| a | 2.50 |
| b | *about* as much |
"""


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("1,234", "1,235", "It reads 1,235 words a second, and knows 41.6%, and"),
        ("41.6", "41.7", "It reads 1,234 words a second, and knows 41.7%, and"),
        ("2.50", "2.49", "| a | 2.49 |, and the records: [2.5]"),
        ("41.6", "41.65", "It reads 1,234 words a second, and knows 41.65%, and"),
        ("a second", "each second", "does not say: It reads {} words a second,"),
        ("| b |", "| c | 7 |\n| b |", "no record is known of | c | 7 |"),
    ],
)
def test_what_is_altered_is_found(tmp_path, before, after, complaint):
    claims = [
        ("It reads {} words a second, and knows {}%", [1234.2, 41.62]),
        ("| a | {} |", [2.5]),
    ]
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert not numbers_that_differ(str(page), claims)
    other = tmp_path / "other.md"
    other.write_text(PAGE.replace(before, after), encoding="utf-8")
    (found,) = numbers_that_differ(str(other), claims)
    assert complaint in found


def test_a_cell_is_found_by_its_row_and_column(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A\n| | x | y |\n|---|---|---|\n| a | 1 | **2** (3) |\n"
        "## B\n| | y |\n|---|---|\n| a | -4 |\n",
        encoding="utf-8",
    )
    assert cell(str(page), "a", "y") == [2, 3]
    assert cell(str(page), "a", "y", nth=1) == [-4]
    assert cell(f"{page}#B", "a", "y") == [-4]
    assert cell(f"{page}#B", "a", 1) == [-4]
    with pytest.raises(LookupError, match=r"no row 'a' and column 'x', 0$"):
        cell(f"{page}#B", "a", "x")
