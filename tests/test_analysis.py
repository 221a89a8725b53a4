import pickle

import numpy as np
import pytest

from skelmo.text.analysis import Analyzer
from skelmo.text.tokenization import split_sentences, tokenize

TEXT = "The cat sat. It didn't move!\nA dog, though, did."


def test_default_tokenises_each_sentence():
    expected = [tokenize(sentence) for sentence in split_sentences(TEXT)]
    assert len(expected) == 3
    assert Analyzer()(TEXT) == expected


def test_document_sequence_joins_the_sentences():
    joined = [token for sentence in Analyzer()(TEXT) for token in sentence]
    assert Analyzer(sequence="document")(TEXT) == [joined]


def test_lines_cut_at_line_ends_alone():
    got = Analyzer(tokenizer=str.split, sentence_splitter="lines")("A b. C\r\nd\n\ne.")
    assert got == [["A", "b.", "C"], ["d"], ["e."]]


def test_callables_are_used_and_may_return_any_iterable():
    analyze = Analyzer(
        tokenizer=lambda sentence: iter(sentence.upper()),
        sentence_splitter=lambda document: (part for part in document.split("|")),
    )
    assert analyze("ab|c||d") == [["A", "B"], ["C"], ["D"]]


@pytest.mark.parametrize("sequence", ["sentence", "document"])
@pytest.mark.parametrize("document", ["", " \n\t ", "\n"])
def test_text_without_tokens_has_no_sequence(document, sequence):
    assert Analyzer(sequence=sequence)(document) == []


NESTED = [
    pytest.param(["a", "b"], [["a", "b"]], id="tokens"),
    pytest.param(("a", "b"), [["a", "b"]], id="tuple"),
    pytest.param(np.array(["a", "b"]), [["a", "b"]], id="array"),
    pytest.param([["a", "b"], ["c"]], [["a", "b"], ["c"]], id="sentences"),
    pytest.param([("a",), (), ("c",)], [["a"], ["c"]], id="an-empty-sentence"),
    pytest.param([], [], id="nothing"),
    pytest.param([[]], [], id="one-empty-sentence"),
    pytest.param([""], [[""]], id="an-empty-token"),
]


@pytest.mark.parametrize(("document", "expected"), NESTED)
def test_tokens_are_taken_as_they_are(document, expected):
    assert Analyzer(input="tokens")(document) == expected
    joined = [token for sentence in expected for token in sentence]
    whole = Analyzer(input="tokens", sequence="document")(document)
    assert whole == ([joined] if joined else [])


def test_tokens_pass_by_tokenizer_and_splitter():
    def fail(text):
        raise AssertionError(text)

    assert Analyzer(fail, fail, input="tokens")(["a b. C"]) == [["a b. C"]]


def test_analyzer_survives_a_pickle():
    analyze = Analyzer(str.split, "lines", "document")
    again = pickle.loads(pickle.dumps(analyze))
    assert again == analyze
    assert again(TEXT) == analyze(TEXT)
