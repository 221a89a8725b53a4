import re
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from skelmo.estimators.parameters import check_layers, check_pooling
from skelmo.validation import (
    check_column_name,
    check_corpus_size,
    check_not_empty,
    column_name,
    is_missing,
    iterate_documents,
    stack_level,
)

pa = pytest.importorskip("pyarrow")

TEXTS = ["One cat.", "two", ""]
STRING_DTYPE = np.dtypes.StringDType(na_object=np.nan)
HOLDERS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "dict values": dict(enumerate(TEXTS)).values(),
    "object array": np.array(TEXTS, dtype=object),
    "str array": np.array(TEXTS),
    "masked array": np.ma.array(TEXTS),
    "Arrow array": pa.array(TEXTS),
    "Arrow dictionary": pa.array(TEXTS).dictionary_encode(),
    "Arrow chunks": pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
    "Arrow table": pa.table({"text": TEXTS}),
    "Arrow batch": pa.RecordBatch.from_pydict({"text": TEXTS}),
    "StringDType array": np.array(TEXTS, dtype=STRING_DTYPE),
    "column array": np.array(TEXTS)[:, None],
    "pandas object": pd.Series(TEXTS, dtype=object),
    "pandas str": pd.Series(TEXTS, dtype="str"),
    "pandas string": pd.Series(TEXTS, dtype="string"),
    "pandas category": pd.Series(TEXTS, dtype="category"),
    "pandas pyarrow": pd.Series(TEXTS, dtype="string[pyarrow]"),
    "pandas index": pd.Index(TEXTS),
    "pandas frame": pd.DataFrame({"text": TEXTS}),
    "polars series": pl.Series(TEXTS),
    "polars frame": pl.DataFrame({"text": TEXTS}),
    "bytes": [text.encode() for text in TEXTS],
    "str_": [np.str_(text) for text in TEXTS],
}


def documents_of(X, **settings):
    return list(iterate_documents(X, owner="Owner", **settings))


@pytest.mark.parametrize("X", HOLDERS.values(), ids=HOLDERS.keys())
def test_iterate_documents_takes_the_texts_out_of_any_holder(X):
    found = documents_of(X)
    assert found == TEXTS
    assert {type(value) for value in found} == {str}


def test_iterate_documents_reads_a_generator_once():
    assert documents_of(iter(TEXTS)) == TEXTS


def test_iterate_documents_holds_one_at_a_time():
    given = (f"{k}" if k < 2 else k for k in range(3))
    documents = iterate_documents(given, owner="Owner")
    assert [next(documents), next(documents)] == ["0", "1"]
    message = "Owner: row 2 of X must be a str, got int 2. Convert it with str()."
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        next(documents)


def test_iterate_documents_passes_nothing_on_after_a_missing_one():
    documents = iterate_documents(iter(["a", None, "b", np.nan]), owner="Owner")
    assert next(documents) == "a"
    message = (
        "Owner needs a text in every row of X, but 2 of 4 are missing, the first in "
        "row 1 (NoneType None). Fill them in, or set missing='empty' or "
        "missing='nan' before fit."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        next(documents)
    documents = iterate_documents(iter(["a", None]), owner="Owner", missing="nan")
    assert list(documents) == ["a", None]


@pytest.mark.parametrize(
    ("X", "name"),
    [
        (pd.Series(TEXTS, name="review"), "review"),
        (pd.DataFrame({"review": TEXTS}), "review"),
        (pl.Series("review", TEXTS), "review"),
        (pl.DataFrame({"review": TEXTS}), "review"),
        (pd.Series(TEXTS), None),
        (pd.Series(TEXTS, name=3), None),
        (pd.DataFrame({0: TEXTS}), None),
        (pl.Series(TEXTS), None),
        (TEXTS, None),
    ],
)
def test_iterate_documents_keeps_the_name_of_a_column(X, name):
    assert (documents_of(X), column_name(X, "Owner")) == (TEXTS, name)


MISSING = {
    "None": None,
    "nan": float("nan"),
    "float32 nan": np.float32("nan"),
    "float16 nan": np.float16("nan"),
    "NA": pd.NA,
    "NaT": pd.NaT,
}


@pytest.mark.parametrize("value", MISSING.values(), ids=MISSING.keys())
def test_is_missing_knows_every_kind(value):
    assert is_missing(value) is True


@pytest.mark.parametrize("value", ["", "nan", "None", 0, 0.0, np.inf, b"", [], {}])
def test_is_missing_leaves_values_alone(value):
    assert is_missing(value) is False


WITH_MISSING = {
    **{name: ["a", value, "b"] for name, value in MISSING.items()},
    "object": pd.Series(["a", None, "b"], dtype=object),
    "str": pd.Series(["a", None, "b"], dtype="str"),
    "string": pd.Series(["a", None, "b"], dtype="string"),
    "category": pd.Series(["a", None, "b"], dtype="category"),
    "pyarrow": pd.Series(["a", None, "b"], dtype="string[pyarrow]"),
    "polars": pl.Series(["a", None, "b"]),
    "Arrow": pa.array(["a", None, "b"]),
    "Arrow table": pa.table({"text": ["a", None, "b"]}),
    "masked": np.ma.array(["a", "x", "b"], mask=[0, 1, 0]),
    "masked objects": np.ma.array(np.array(["a", 3, "b"], object), mask=[0, 1, 0]),
    "StringDType": np.array(["a", np.nan, "b"], dtype=STRING_DTYPE),
}


@pytest.mark.parametrize("X", WITH_MISSING.values(), ids=WITH_MISSING.keys())
@pytest.mark.parametrize("missing", ["empty", "nan"])
def test_iterate_documents_puts_none_for_a_missing_one(X, missing):
    found = documents_of(X, missing=missing)
    assert found == ["a", None, "b"]


def test_iterate_documents_names_the_first_missing_row_and_how_many():
    message = (
        "Owner needs a text in every row of X, but 2 of 4 are missing, the first in "
        "row 1 (float nan). Fill them in, or set missing='empty' or "
        "missing='nan' before fit."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        documents_of(["a", np.nan, "b", None])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "int 3. Convert it with str()."),
        (2.5, "float 2.5. Convert it with str()."),
        (np.inf, "float inf. Convert it with str()."),
        (np.int64(3), "int64 np.int64(3). Convert it with str()."),
        (True, "bool True. Convert it with str()."),
        ({"text": "a"}, "dict {'text': 'a'}. Take the text out of it."),
        (["a", "b"], "list ['a', 'b']. Join it to a text, or set input='tokens'."),
        (("a",), "tuple ('a',). Join it to a text, or set input='tokens'."),
        (range(10**9), "range range(0, 1000000000). Convert it with str()."),
        (10**99, f"int 1{'0' * 39}.... Convert it with str()."),
    ],
)
def test_iterate_documents_shows_row_type_and_value_of_a_wrong_one(value, shown):
    message = f"Owner: row 2 of X must be a str, got {shown}"
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        documents_of(["a", "b", value])


def test_iterate_documents_explains_bytes_that_are_not_utf_8():
    message = (
        "Owner: row 1 of X must be text or UTF-8 bytes, got bytes b'caf\\xe9 x', which "
        "is not UTF-8 (invalid continuation byte at byte 3). Decode it first, as in "
        "X[1].decode('latin-1')."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        documents_of(["a", "café x".encode("latin-1")])


@pytest.mark.parametrize(
    ("X", "shown"),
    [
        (3, "int 3"),
        (None, "NoneType None"),
        ({"a": "text"}, "dict {'a': 'text'}"),
        (b"text", "bytes b'text'"),
    ],
)
def test_iterate_documents_wants_an_iterable(X, shown):
    message = (
        f"Owner needs an iterable of documents, got {shown}. Pass a list, a Series or "
        f"an array."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        documents_of(X)


@pytest.mark.parametrize(
    "make",
    [
        scipy.sparse.csr_matrix,
        scipy.sparse.csr_array,
        scipy.sparse.coo_array,
        scipy.sparse.dok_array,
        scipy.sparse.lil_matrix,
    ],
)
def test_iterate_documents_says_that_sparse_data_is_none(make):
    message = (
        f"Owner needs documents, but X is a sparse {make.__name__}: sparse data is not "
        f"supported. Pass the texts themselves."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        documents_of(make((2, 1)))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_iterate_documents_names_the_columns_of_a_wide_frame(frame):
    message = (
        "Owner takes one column of text, but X has 2: 'title', 'body'. Choose one, "
        "X['title'], or use ColumnTransformer([('text', Owner(), 'title')])."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        documents_of(frame({"title": ["a"], "body": ["b"]}))


def test_iterate_documents_refuses_an_array_of_two_columns():
    message = (
        "Owner takes a one-dimensional array of documents, but X has shape (1, 2). "
        "Choose one column, X[:, 0], or use ColumnTransformer([('text', Owner(), 0)])."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        documents_of(np.array([["a", "b"]]))


def test_iterate_documents_refuses_an_array_without_dimension():
    message = (
        "Owner takes a one-dimensional array of documents, but X has shape (). Wrap it "
        "in a list: [X.item()]."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        documents_of(np.array("text"))


@pytest.mark.parametrize(
    "document",
    [["a", "b"], ("a", "b"), np.array(["a", "b"]), [], [["a"], ["b", "c"]], [[]]],
    ids=repr,
)
def test_iterate_documents_takes_tokens_and_sentences_of_tokens(document):
    found = documents_of([document], input="tokens")[0]
    assert found == list(document)
    assert isinstance(found, list)


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ("a b", "str 'a b'"),
        (3, "int 3"),
        ({"a"}, "set {'a'}"),
        (["a", 2], "int 2"),
        (["a", None], "NoneType None"),
        ([["a"], "b"], "list [['a'], 'b']"),
        ([["a", b"b"]], "bytes b'b'"),
    ],
)
def test_iterate_documents_shows_what_is_no_token(document, shown):
    message = (
        f"Owner: row 1 of X must be a list of tokens (str) or a list of such "
        f"sentences, got {shown}. Split it into tokens, or set input='text'."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        documents_of([["a"], document], input="tokens")


@pytest.mark.parametrize("make", [pl.Series, pa.array, pd.Series, list])
def test_columns_of_lists_hold_tokens_or_are_refused(make):
    X = make([["a", "b"], [], ["c"]])
    assert documents_of(X, input="tokens") == [["a", "b"], [], ["c"]]
    message = (
        "Owner: row 0 of X must be a str, got list ['a', 'b']. Join it to a text, or "
        "set input='tokens'."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        documents_of(X)


def test_arrow_tables_are_told_apart_by_their_columns():
    assert column_name(pa.table({"text": ["a"]}), "Owner") == "text"
    message = (
        "Owner takes one column of text, but X has 2: 'a', 'b'. Choose one, X['a'], or "
        "use ColumnTransformer([('text', Owner(), 'a')])."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        documents_of(pa.table({"a": ["x"], "b": ["y"]}))


def test_a_lazy_frame_is_to_be_collected():
    message = (
        "Owner needs documents, but X is a LazyFrame, which holds none yet. Pass "
        "X.collect()."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        documents_of(pl.DataFrame({"text": ["a"]}).lazy())


def test_check_not_empty():
    check_not_empty(1, "Owner")
    message = (
        "Owner needs at least 1 document to fit, but X has 0 sample(s). Pass a "
        "non-empty X."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_not_empty(0, "Owner")


def test_check_corpus_size_warns_below_1000_tokens():
    message = (
        "Owner is trained on 999 tokens only; fewer than 1,000 teach it little. Pass "
        "more text, or use a model trained on more."
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        check_corpus_size(999, "Owner")
    check_corpus_size(1000, "Owner")  # warnings are errors here


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("mean", None),
        ("concat", (0, 1, 2)),
        ("top", (2,)),
        (0, (0,)),
        (-1, (2,)),
        (np.int64(1), (1,)),
        ([2, 0], (2, 0)),
        ((-3, -1), (0, 2)),
    ],
)
def test_check_layers_gives_indices_in_the_order_named(layers, expected):
    assert check_layers(layers, 3, "Owner").side_by_side == expected


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("max", ["max"]), (("last", "mean"), ["last", "mean"]), (["min"], ["min"])],
)
def test_check_pooling_gives_a_list_in_the_order_named(pooling, expected):
    assert check_pooling(pooling, "Owner") == expected


def test_check_column_name_compares_only_where_both_have_one():
    for name, fitted in [(None, ["a"]), ("a", None), (None, None), ("a", ["a"])]:
        assert check_column_name(name, fitted, "Owner") is None
    message = (
        "Owner was fitted on column 'a', but X is column 'b'. Pass the column of the "
        "same name."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        check_column_name("b", np.array(["a"], dtype=object), "Owner")


def test_stack_level_passes_over_the_library():
    scope = {"__name__": "skelmo.imagined", "stack_level": stack_level, "warn": None}
    scope["warn"] = warnings.warn
    code = "def inner(): warn('x', UserWarning, stacklevel=stack_level())"
    exec(f"{code}\ndef outer(): inner()", scope)
    line = sys._getframe().f_lineno + 2
    with pytest.warns(UserWarning, match="^x$") as record:
        scope["outer"]()
    assert (record[0].filename, record[0].lineno) == (__file__, line)
