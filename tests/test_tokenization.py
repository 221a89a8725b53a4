"""Tests of the sentence splitter and the tokenizer."""

import random
import time

import pytest

from skelmo.text.tokenization import split_sentences, tokenize

# Each line is one sentence list, its sentences joined by " | ".
SENTENCES = {
    "titles": "Mr. and Mrs. Li met Dr. No. | He ran.",
    "initials": "J. K. Rowling and J.R.R. Tolkien wrote. | I. M. Pei built.",
    "latin": "Use tools, e.g. Excel, i.e. Office, vs. Word etc. if you can. | Yes.",
    "country-inside": "The U.S. Army left.",
    "country-last": "He left the U.S. | They stayed.",
    "company": "Apple Inc. Announced it. | He joined Apple Inc. | The end.",
    "month": "On Jan. 5 and Feb. 6 it rained. | Then sun.",
    "number-word": "See No. 5 on p. 12. | He said no. | No. | Never.",
    "time": "At 5 p.m. Eastern time. | At 6 p.m. | The end.",
    "pronoun-i": "You and I. | World War I. | Then peace.",
    "decimal": "It is 3.14 or .5 big. | Really.",
    "year": "It was 1999. | Then came 2000.",
    "enumeration": "1. Open it. | 2. Close it.",
    "ellipsis-lower": "Well... no. | And… yes.",
    "ellipsis-upper": "Well... | No. | Hm… | Yes. | He . . . | She",
    "runs": "What?! | No!!! | Why??? | Oh.",
    "quotes": 'He said "Go." | She went. | “Why?” | ‘Because.’ | (Yes.) | [No.] | End.',
    "quoted-question": '"Why?" he asked. | "So!" she said.',
    "name-with-mark": "Yahoo! is old. | Jeopardy! has a host.",
    "starts": 'Go. | So! | 7 up. | "Q" is. | (X) is. | #tag. | @me. | 😀 ok. | - No.',
    "lower-case": "it is bad . | it stinks ! | and vs . that . . . so what ? | yes .",
    "lower-initials": "that is , i . e . , bad . | mr . bean is in .",
    "treebank": "He left . '' | She ( stayed . ) | -LRB- They . -RRB- | `` We . ''",
    "no-space": "a.b and end.But no",
    "arabic": "كيف حالك؟ | أنا بخير.",
    "urdu": "یہ ہے۔ | وہ ہے۔",
    "devanagari": "यह है। | वह है॥ | ठीक",
    "armenian": "Ա է։ | Բ է։",
    "ethiopic": "ሀሎ። | ሰላም።",
    "khmer": "សួស្តី។ | បាទ។",
    "burmese": "ဟုတ်ကဲ့။ | မဟုတ်ဘူး။",
}
GLUED = {
    "chinese": "你好。|我很好！|真的吗？|是｡|好",
    "chinese-quotes": "他说：“走吧。”|我们走了。|（真的！）|好",
    "chinese-ellipsis": "走……吧。。。|好",
    "chinese-ascii-stops": "房间不错!|早餐差.|不来",
    "japanese": "行く。|「はい。」と言った。|『本』。",
}
BREAKS = ["\n", "\r\n", "\r", "\u2028", "\u2029", "\n \n", "<br />", "<br>", "<BR/>"]
BREAKS += ["<br /><br />", " <br/> \n"]


@pytest.mark.parametrize("name", SENTENCES)
def test_split_sentences_cuts_at_spaces(name):
    expected = SENTENCES[name].split(" | ")
    assert split_sentences(" ".join(expected)) == expected


@pytest.mark.parametrize("name", GLUED)
def test_split_sentences_cuts_without_spaces(name):
    expected = GLUED[name].split("|")
    assert split_sentences("".join(expected)) == expected


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_split_sentences_ends_at_line_breaks(line_break):
    assert split_sentences(f"one{line_break}two") == ["one", "two"]


@pytest.mark.parametrize("document", ["", " ", " \t\n\u3000 ", "<br />"], ids=ascii)
def test_split_sentences_of_nothing_is_empty(document):
    assert split_sentences(document) == []


# Each line is the raw text and the expected tokens joined by spaces.
TOKENS = {
    "not": ("Don't can't WON'T ain’t", "Do n't ca n't WO N'T ai n’t"),
    "clitics": ("it's I'm they're we've", "it 's I 'm they 're we 've"),
    "clitics-2": ("he'd she'll JOHN'S", "he 'd she 'll JOHN 'S"),
    "curly": ("it’s I’d’ve", "it ’s I ’d ’ve"),
    "stacked": ("shouldn't've", "should n't 've"),
    "possessive": ("the dogs' U.S.'s 1980's", "the dogs ' U.S. 's 1980 's"),
    "fused": ("Cannot gonna, wanna gotta.", "Can not gon na , wan na got ta ."),
    "fused-2": ("lemme gimme! more'n", "lem me gim me ! more 'n"),
    "tis": ("'tis ’Twas d'ye", "'t is ’T was d' ye"),
    "not-fused": ("cannots Cannes wannabe", "cannots Cannes wannabe"),
    "elided": ("rock 'n' roll 'em '80s", "rock 'n' roll 'em '80s"),
    "inner-apostrophe": ("O'Brien's l'amour o’clock", "O'Brien 's l'amour o’clock"),
    "single-quotes": ("'hello' 'I'm'", "' hello ' ' I 'm '"),
    "hyphens": ("state-of-the-art re- x", "state-of-the-art re - x"),
    "dashes": ("a--b --- c—d 3–4", "a -- b --- c — d 3 – 4"),
    "slash": ("and/or s/he", "and / or s / he"),
    "numbers": ("1,000.50 3.14 10:30", "1,000.50 3.14 10:30"),
    "dates": ("2024-01-05 9/11 1914-18", "2024-01-05 9/11 1914-18"),
    "signs": ("-5 +1.5 .5 5-4 $.15", "-5 +1.5 .5 5-4 $ .15"),
    "units": ("50% $5 US$5 3.5mm #1", "50 % $ 5 US$ 5 3.5mm # 1"),
    "clock": ("5pm 10:30a.m. 5pms", "5 pm 10:30 a.m. 5pms"),
    "digits": ("١٢٣ १२,३४५ ５", "١٢٣ १२,३४५ ５"),
    "stop": ("End. end, end; end: end", "End . end , end ; end : end"),
    "runs": ("Oh!!! What?! so... hm… ====", "Oh !!! What ?! so ... hm … ===="),
    "quotes": ('"Hi," (he) [said].', '" Hi , " ( he ) [ said ] .'),
    "latex": ("``Hi''", "`` Hi ''"),
    "glued-sentences": ("film.The end.But", "film . The end . But"),
    "titles": ("Mr. Li, Ph.D., vs. St. X", "Mr. Li , Ph.D. , vs. St. X"),
    "title-last": ("I saw Mr.", "I saw Mr."),
    "dotted": ("the U.S., e.g. at 5 p.m.", "the U.S. , e.g. at 5 p.m."),
    "dotted-last": ("the U.S.", "the U.S."),
    "dotted-compound": ("U.S.-based J.R.R. U.N", "U.S.-based J.R.R. U.N"),
    "initials": ("J. K. Rowling", "J. K. Rowling"),
    "initial-last": ("Plan B. or plan C.", "Plan B. or plan C ."),
    "no-initial": ("You and I. Then", "You and I . Then"),
    "number-word": ("No. 5 on p. 3. no. no.", "No. 5 on p. 3 . no . no ."),
    "ampersand": ("AT&T Q&A a & b &amp;", "AT&T Q&A a & b &amp;"),
    "languages": ("C++, C# and F#.", "C++ , C# and F# ."),
    "url": ("(http://a.com/x_(y)?z=1).", "( http://a.com/x_(y)?z=1 ) ."),
    "www": ("see www.foo.org/bar#q, ok", "see www.foo.org/bar#q , ok"),
    "domain": ("example.com/path. a.co.uk!", "example.com/path . a.co.uk !"),
    "file": ("open notes.txt.", "open notes.txt ."),
    "url-chinese": ("http://a.com。好", "http://a.com 。 好"),
    "email": ("<a.b+c@foo.co.uk>,", "< a.b+c@foo.co.uk > ,"),
    "handles": ("#NLP2 @me_2, @ #", "#NLP2 @me_2 , @ #"),
    "emoticons": (":-) :( ;) <3 =D great:) :))", ":-) :( ;) <3 =D great :) :))"),
    "emoticons-2": (":P :'( ^_^ -_- \\o/", ":P :'( ^_^ -_- \\o/"),
    "no-emoticons": ("(at 8:3) as:(a) x:D", "( at 8:3 ) as : ( a ) x : D"),
    "emoji-skin": ("ok👍🏽!", "ok 👍🏽 !"),
    "emoji-family": ("👨‍👩‍👧‍👦❤️", "👨‍👩‍👧‍👦 ❤️"),
    "emoji-flags": ("🇩🇪🇫🇷🇩", "🇩🇪 🇫🇷 🇩"),
    "emoji-keycap": ("1️⃣ #️⃣*⃣", "1️⃣ #️⃣ *⃣"),
    "chinese": ("我爱NLP，好。𠀀々", "我 爱 NLP ， 好 。 𠀀 々"),
    "japanese": ("カタカナーはひらがなで漢字", "カタカナー はひらがなで 漢 字"),
    "korean": ("한국어는 좋다.", "한국어는 좋다 ."),
    "hindi": ("हिन्दी में क्‍ष।", "हिन्दी में क्‍ष ।"),
    "arabic": ("مَرحَبًا، كيف؟", "مَرحَبًا ، كيف ؟"),
    "persian": ("می‌خواهم", "می‌خواهم"),
    "cyrillic": ("Привет, мир-дружба!", "Привет , мир-дружба !"),
    "thai": ("ภาษาไทยดี", "ภาษาไทยดี"),
    "hebrew": ('צה"ל ג\'ירפה ג׳ "כן"', 'צה"ל ג\'ירפה ג׳ " כן "'),
    "combining": (
        "cafe\u0301 x\u0323. !\u0301%\u0301",
        "cafe\u0301 x\u0323 . !\u0301 %\u0301",
    ),
    "tags": ("<unk><S> </s> <br/>", "<unk> <S> </s> <br/>"),
    "spaced-tag": ("a<br />b", "a <br/> b"),
    "wikitext": ("role @-@ playing 1 @,@ 000", "role @-@ playing 1 @,@ 000"),
    "brackets": ("-LRB- a -rrb-", "-LRB- a -rrb-"),
    "control": ("a\x00b\u200b\ufeffc", "a \x00 b \u200b\ufeff c"),
    "surrogate": ("a\ud800b", "a \ud800 b"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokenize_gives_tokens(name):
    text, expected = TOKENS[name]
    assert tokenize(text) == expected.split(" ")


@pytest.mark.parametrize("name", TOKENS)
def test_tokenize_keeps_its_own_tokens(name):
    tokens = tokenize(TOKENS[name][0])
    assert tokenize(" ".join(tokens)) == tokens


TREEBANK_TOKENS = """
    do n't ca wo it 's 'S I 'm 're 've 'd 'll dogs ' `` '' " -lrb- -RRB- can not gon na
    't is d' ye Mr. U.S. e.g. p.m. etc. 1,000.50 % $ US$ -- ... . ? ! , ; : AT&T O'Brien
    state-of-the-art '80s 'em 10:30 <unk> <S> http://a.com/b :-) #tag
"""


def test_tokenize_keeps_penn_treebank_tokens():
    vocabulary = TREEBANK_TOKENS.split()
    generator = random.Random(0)
    for _ in range(500):
        tokens = generator.choices(vocabulary, k=generator.randint(1, 20))
        assert tokenize(" ".join(tokens)) == tokens


@pytest.mark.parametrize("sentence", ["", " \t\u3000\x1c "], ids=ascii)
def test_tokenize_of_nothing_is_empty(sentence):
    assert tokenize(sentence) == []


@pytest.mark.parametrize("word", ["a" * 10_000, "é" * 10_000, "1" * 10_000])
def test_tokenize_keeps_a_long_word_whole(word):
    assert tokenize(word) == [word]


def random_texts(n_texts):
    """Yield short strings of delicate characters and of any code points."""
    delicate = "aAzZnNtTsSi'’`\"-.,:;!?/\\@#$%&()[]<>=_~*^|+ \t\n\r01\u0301\u200d\ufe0f"
    delicate += (
        "\u20e3👍🏽👩🇩🇪我々あカー。」「한ि्\u200c\xad\x00\x1c\x85\xa0\ud800׳״צ…—٣٫"
    )
    generator = random.Random(0)
    for _ in range(n_texts):
        yield "".join(
            generator.choice(delicate)
            if generator.random() < 0.9
            else chr(generator.randrange(0x110000))
            for _ in range(generator.randint(0, 12))
        )


def test_tokenize_loses_nothing_in_random_text():
    for text in random_texts(5000):
        tokens = tokenize(text)
        assert "".join(tokens) == "".join(text.split())
        assert all(token and token.split() == [token] for token in tokens)


def test_tokenize_is_idempotent_on_random_text():
    for text in random_texts(5000):
        tokens = tokenize(text)
        assert tokenize(" ".join(tokens)) == tokens


def test_split_sentences_loses_nothing_in_random_text():
    for text in random_texts(5000):
        sentences = split_sentences(text)
        assert "".join("".join(sentences).split()) == "".join(text.split())
        assert all(sentence and sentence == sentence.strip() for sentence in sentences)


HOSTILE = list(".a \"?'-(…。我1@#<:\u0301\u200d🇩\x00") + ["a.", "a. ", ". A", ". . "]
HOSTILE += ["a-", "a'", "a@", "http://(", "<br ", "n't", '."', "A. ", "\n"]


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
@pytest.mark.parametrize("function", [tokenize, split_sentences])
def test_time_is_linear_in_repeated_text(function, unit):
    # Quadratic time would take minutes; the bound leaves room for a busy machine.
    document = unit * (200_000 // len(unit))
    start = time.process_time()
    function(document)
    assert time.process_time() - start < 2
