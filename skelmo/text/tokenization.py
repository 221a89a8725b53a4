"""Cut a document into sentences and a sentence into tokens, in any script.

Both functions only cut: apart from HTML line breaks, no character that is not white
space is lost, changed or moved. Both are pure functions that take linear time.
"""

from functools import cache

import regex


def _words(text):
    """Make a set of the words of `text`."""
    return frozenset(text.split())


# Abbreviations that a name, an example or a figure follows: never a last word.
_NEVER_LAST = _words(
    "mr mrs ms mx dr drs prof profs messrs mme mlle rev revd hon gen col capt cpt lt "
    "sgt cmdr maj adm gov sen sens rep reps pres supt insp vs cf e.g i.e eg viz ca "
    "esp approx"
)
# Abbreviations that may end a sentence: they do before a word of _SENTENCE_OPENERS.
_SELDOM_LAST = _words(
    "st ste mt ft jr sr inc corp co ltd bros dept univ assn assoc ave blvd rd hwy est "
    "etc al jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur "
    "thurs fri ph.d esq feat orig attn z.b d.h bzw u.a nr"
)
# Abbreviations only before a number ("No. 5", "p. 12"), words otherwise ("No. Never.").
_BEFORE_NUMBER = _words(
    "no nos p pp vol vols fig figs eq eqs ch sec sect art op c v par tab"
)
_SENTENCE_OPENERS = _words(
    "the a an this that these those he she it they we you i there here his her its "
    "their our my your in on at for from with as if when while after before since "
    "although though because however but so then thus what who why how yes not no "
    "some many most all one"
)

_DOTTED = regex.compile(r"(?:\p{L}{1,2}\.)++\p{L}{1,2}")
_LINE_BREAK_TAG = regex.compile(r"<br\s*+/?>", regex.IGNORECASE)
_STOPS = r".!?…‽⁇⁈⁉"
# Stops of scripts that put no space after a sentence, or use the mark for nothing else.
_STRONG_STOPS = r"。！？｡؟۔।॥։።፧៕។။"
_CLOSERS = r"""["'”’»›)\]}」』）】》〉｣]"""
_OPENERS = r"""[\p{Ps}\p{Pi}\p{Pd}„‚"'`¿¡*•]"""


# Compiled when first needed: it takes longer than to import the rest of the package.
@cache
def _stop_pattern(letters):
    """Compile what may end a sentence when `letters` may begin the next one."""
    return regex.compile(
        rf"""
        (?<![{_STOPS}{_STRONG_STOPS}]\s?)
        (?P<marks> [{_STOPS}{_STRONG_STOPS}]++ (?:\s[{_STOPS}]++(?=\s))*+ )
        {_CLOSERS}*+
        (?:\s(?:''|”|»|\)|\]|-[Rr][RrSsCc][Bb]-)(?=\s))*+      # tokenised text
        (?: (?<=[{_STRONG_STOPS}]) (?=\S)
          | (?<=[{_STRONG_STOPS}]{_CLOSERS}+) (?=[^\sとっ])       # 「はい。」と言う
          | (?<=[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}][.!?]+) (?=\p{{Han}})
          | (?=\s+ (?:{_OPENERS}\s?){{0,4}}+ (?P<next>[{letters}\p{{N}}\p{{S}}@\#&])
               (?P<rest>[\p{{L}}\p{{M}}]{{0,12}}+ (?P<stop>\s?\.)?) )
          | (?<=[{_STRONG_STOPS}]{_CLOSERS}*) (?=\s)
        )
        """,
        regex.VERBOSE,
    )


def split_sentences(document: str) -> list[str]:
    """Split a document into sentences.

    Every line break ends a sentence, and so does an HTML ``<br />``, which is dropped.
    Within a line, a sentence ends after ``.``, ``!`` or ``?`` and the closing quotes
    and brackets behind it, when white space and something that can begin a sentence
    follow; an abbreviation, an initial or an enumeration such as "1." does not end it.
    The stops of Chinese, Japanese, Arabic, Urdu, Hindi, Armenian, Ethiopic, Khmer and
    Burmese need no white space.

    Parameters
    ----------
    document : str
        Any text.

    Returns
    -------
    sentences : list of str
        The sentences in order, without white space around them, none of them empty.

    Notes
    -----
    A lower-case word does not begin a sentence ("Yahoo! is", '"Why?" he said'), unless
    the whole document has no upper-case letter, as in lower-cased corpora; after an
    ellipsis it never does.

    Examples
    --------
    >>> split_sentences("Mr. J. K. Smith paid $3.14 at 5 p.m. in the U.S. He left!")
    ['Mr. J. K. Smith paid $3.14 at 5 p.m. in the U.S.', 'He left!']
    >>> split_sentences('Well... no.<br /><br />"Really?" she asked.')
    ['Well... no.', '"Really?" she asked.']
    >>> split_sentences("他说：“走吧。”我们走了。")
    ['他说：“走吧。”', '我们走了。']
    """
    letters = r"\p{L}" if document.islower() else r"\p{Lu}\p{Lt}\p{Lo}"
    sentences = []
    for line in _LINE_BREAK_TAG.sub("\n", document).splitlines():
        start = 0
        for match in _stop_pattern(letters).finditer(line):
            if _ends_sentence(match, start):
                sentences.append(line[start : match.end()].strip())
                start = match.end()
        sentences.append(line[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(match, start):
    """Say whether a possible end of the sentence that began at `start` is one."""
    marks, following = match["marks"], match["next"]
    if following is None:
        return True
    if len(marks) > 1 or marks == "…":
        is_ellipsis = not marks.strip(". …")
        return not (is_ellipsis and following.islower())
    if marks != ".":
        return True
    # Longer words are no abbreviations; the bound keeps the time linear.
    before = match.string[max(start, match.start() - 16) : match.start()].split()
    if not before:
        return True
    word = before[-1].lstrip("([{\"'“‘«-–—")
    is_first = match.start() - start < 16 and len(before) == 1
    if is_first and word.isdecimal() and len(word) < 4:
        return False
    return not _is_abbreviation(word, following + match["rest"], match["stop"])


def _is_abbreviation(word, following, following_stop):
    """Say whether the period after `word` belongs to it, given the text after it."""
    key = word.lower()
    if key in _NEVER_LAST:
        return True
    if key in _BEFORE_NUMBER and following[0].isnumeric():
        return True
    is_letter = len(word) == 1 and word.isalpha()
    if is_letter and following_stop and len(following.rstrip(" .")) == 1:
        return True
    is_initial = is_letter and word != "I" and word.isupper()
    if is_initial or key in _SELDOM_LAST or _DOTTED.fullmatch(word):
        return following.lower() not in _SENTENCE_OPENERS
    return False


# Abbreviations that always keep their period, in title case or as written here.
_PERIOD_WORDS = _words(
    r"""
    Mr Mrs Ms Mx Dr Prof Messrs Mme Mlle Rev Hon Gen Col Capt Lt Sgt Cmdr Gov Sen
    Sens Rep Reps St Mt Ft Jr Sr Inc Corp Co Ltd Bros Dept Univ Assn Assoc Ave Blvd
    Jan Feb Apr Aug Sept Sep Oct Nov Dec Tues Thurs Thur Fri Esq Attn Ph\.D PhD MR
    MRS DR ST JR INC CORP LTD etc vs cf viz al eg approx dept mr mrs dr bzw usw
    """
)
# Those that keep it unless they come last; so do single capitals but "I".
_INNER_PERIOD_WORDS = _words(
    "No Nos Vol Fig Figs Eq Sec Art Op Ch Nr vol pp fig p c v ca"
)
_PLAIN_FUSED = _words("cannot gonna gotta wanna gimme lemme")

# Letters and digits of words; ideographs and runs of kana are tokens of their own.
_ASIAN = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_LETTER = rf"[\p{{L}}--{_ASIAN}]"
_START = rf"[[\p{{L}}\p{{N}}]--{_ASIAN}]"
_INSIDE = rf"[[\p{{L}}\p{{N}}\p{{M}}\u00AD\u200C\u200D\u2060\u05F3]--{_ASIAN}]"
_END = rf"(?!{_INSIDE}|-{_START})"
_CLITIC = rf"['’](?i:s|m|d|ll|re|ve){_END}"
_JOINER = rf"""(?: [-‐‑·_] | (?!{_CLITIC})['’]
    | (?<=\p{{Nd}})[.,:/٫٬](?=\p{{Nd}})
    | (?<=\p{{Lu}})&(?=\p{{Lu}})
    | (?<=\p{{Hebrew}})["״](?=\p{{Hebrew}}) )"""
_WORD = rf"{_START}{_INSIDE}*+(?:{_JOINER}{_START}{_INSIDE}*+)*+"

# First parts of words that the Penn Treebank cuts; "n't" and what an apostrophe begins.
_CUT = rf"""(?i: can(?=not{_END}) | (?:gon|wan)(?=na{_END}) | got(?=ta{_END})
    | (?:gim|lem)(?=me{_END}) | more(?=['’]n{_END}) | d['’](?=ye{_END}|$)
    | {_LETTER}{{1,12}}?(?=n['’]t{_END}) | n['’]t{_END} )"""
_APOSTROPHE = rf"""{_CLITIC} | ['’](?i:t(?=(?:is|was){_END})|n['’]{_END})
    | ['’](?i:t|n|em|til|cause|bout){_END} | (?<!{_INSIDE})['’]\p{{Nd}}{{2}}s?{_END}"""

# What a domain without "http://" ends with, or a file name.
_SUFFIX = (
    "com|org|net|edu|gov|mil|info|biz|io|ai|tv|uk|de|fr|ru|cn|jp|eu|ca|au|nl|ch|br|pl"
    "|html?|pdf|txt|jpe?g|png|gif|docx?|xlsx?|ppt|zip|exe"
)
_URL_INSIDE = rf"[[\p{{L}}\p{{M}}\p{{Nd}}/\#\&=%\~+@$_\-]--{_ASIAN}]"
_URL_BODY = rf"""(?: {_URL_INSIDE}++ | [.,;:!?'*\|]++(?={_URL_INSIDE})
    | \([^\s()<>"]*+\) )*+"""
_ADDRESS = rf"""(?i:(?:https?|ftp)://|www\.)(?={_URL_INSIDE}){_URL_BODY}
    | [\p{{L}}\p{{N}}._%+\-]{{1,64}}+
      @(?:[A-Za-z0-9\-]{{1,63}}+\.){{1,8}}[A-Za-z]{{2,24}}+
    | (?:[A-Za-z0-9][A-Za-z0-9\-]{{0,62}}+\.){{1,5}}(?:{_SUFFIX})
      (?!{_INSIDE}|[\-_@]|\.{_START})(?:[/:?](?={_URL_INSIDE}){_URL_BODY}|/)?+"""

_PERIODS = rf"""(?:{"|".join(sorted(_PERIOD_WORDS))})\.(?!{_INSIDE})
    | (?:{_LETTER}\.){{2,}}+(?:-{_WORD}|{_LETTER}(?!{_INSIDE}|[\-'’.]{_START}))?+
    | {_LETTER}\.{_LETTER}(?!{_INSIDE}|[\-'’.]{_START})
    | (?:{"|".join(sorted(_INNER_PERIOD_WORDS))})\.(?!{_LETTER}) | [\p{{Lu}}--I]\."""
_NUMBER = rf"""\p{{Nd}}++(?:[:.]\p{{Nd}}++)?+(?=(?i:[ap]m{_END}|[ap]\.m\b))
    | [0-9]\uFE0F?+\u20E3 | 8-[)D]{_END}
    | (?:US|NZ|HK|[ACS])\$(?!{_LETTER}) | C\+\+ | [CF]\#(?!{_INSIDE})"""
_SIGNED = rf"(?<![^(\[$€£¥=<>\~])(?:[\-+−]\.?+|\.)(?=\p{{Nd}}){_WORD}"

_MARKUP = rf"""</?+\p{{L}}[\p{{L}}\p{{N}}:\-]*+/?+> | -(?i:[lr][rsc]b)- | @[\-,.]@
    | &(?:[A-Za-z]{{2,8}}+|\#[0-9]{{1,7}}+|\#x[0-9A-Fa-f]{{1,6}}+);
    | (?<!{_INSIDE})[@\#](?=\p{{N}}{{0,20}}+_{{0,3}}+{_LETTER})(?:{_INSIDE}|_)++"""
_EMOTICON = r"""[<>]?+[:;=][\-\^'o]?+[()\[\]{}\|\\/*]++(?![\p{L}\p{N}/])
    | (?<![\p{L}\p{N}])(?:[:;][\-\^]?+[DdPpOoSsXx3]|=[\-\^]?+[DP])(?![\p{L}\p{N}])
    | <(?:/3|3++)(?!\p{N}) | [\-\^>][_.][\-\^<](?![\p{L}\p{N}]) | \^-?\^ | \\o/
    | ¯\\_\(ツ\)_/¯"""
_EMOJI_TAIL = r"[\p{M}\p{Emoji_Modifier}\U000E0020-\U000E007F]*+"
_EMOJI = rf"""\p{{RI}}{{2}}{_EMOJI_TAIL} | [\#*]\uFE0F?+\u20E3
    | \p{{Extended_Pictographic}}{_EMOJI_TAIL}
      (?:\u200D\p{{Extended_Pictographic}}{_EMOJI_TAIL})*+"""
_RUNS = r"""(?: [!?！？]++ | \.{2,}+ | …++ | -{2,}+ | –++ | —++ | =++ | _++ | \~++ | \++
    | (?:\#++|\*++)(?![\uFE0F\u20E3]) | \^++ | \|++ | /++ | \\++ | 。++ | <++ | >++
    | `{1,2}+ )"""

_SPACED_TAG = regex.compile(r"<(\w++)\s++/>")


@cache
def _token_pattern():
    """Compile what a token is."""
    # The first character picks the branch, so that few alternatives are tried in vain.
    return regex.compile(
        rf"""
          (?!(?i:can|gon|got|wan|gim|lem))[A-Za-z]++(?=[,;!?)"”]|$)
        | ["“”,()\[\]，、。；](?![\p{{M}}。])
        | \p{{Han}}\p{{M}}*+
        | (?=[\p{{L}}\p{{N}}])
          (?: {_ADDRESS} | {_CUT} | {_PERIODS} | {_NUMBER} | {_WORD}
            | \p{{Hiragana}}[\p{{Hiragana}}\p{{M}}ー]*+
            | \p{{Katakana}}[\p{{Katakana}}\p{{M}}ー・]*+ )
        | (?=['’]) (?: {_APOSTROPHE} | ''\p{{M}}*+ | .\p{{M}}*+ )
        | {_SIGNED} | (?=[<\-@&\#]) (?:{_MARKUP}) | (?=[<>:;=\-\^\\¯]) (?:{_EMOTICON})
        | (?=[!?！？.…\-–—=*_\~\#+\^\|/\\。<>`]) {_RUNS}\p{{M}}*+
        | {_EMOJI} | \p{{C}}++ | .[\p{{M}}\u200D]*+
        """,
        regex.VERBOSE | regex.V1 | regex.DOTALL,
    )


def tokenize(sentence: str) -> list[str]:
    """Split a sentence into words, numbers, punctuation and other symbols.

    Tokens never hold white space, and joined they give the sentence without its white
    space.

    Parameters
    ----------
    sentence : str
        Any text; meant for one sentence of `split_sentences`.

    Returns
    -------
    tokens : list of str
        The tokens in order, none of them empty.

    Notes
    -----
    English contractions are cut as in the Penn Treebank ("do n't", "it 's", "can not").
    Whole are: words with inner hyphens and apostrophes, abbreviations with their
    periods, numbers with their separators (also times, dates, fractions and ranges),
    URLs, addresses, hashtags, emoticons, emoji sequences, runs of one punctuation mark,
    and tags without attributes. Each Chinese character is a token, and each run of
    Hiragana or Katakana. Text in Penn Treebank tokens joined by spaces keeps them.

    Examples
    --------
    >>> tokenize("Don't pay $1,000.50 (50% off) for O'Brien's state-of-the-art film!!!")
    ... # doctest: +NORMALIZE_WHITESPACE
    ['Do', "n't", 'pay', '$', '1,000.50', '(', '50', '%', 'off', ')', 'for', "O'Brien",
     "'s", 'state-of-the-art', 'film', '!!!']
    >>> tokenize("Mr. Li (li@example.com) left at 10:30 :-)")
    ['Mr.', 'Li', '(', 'li@example.com', ')', 'left', 'at', '10:30', ':-)']
    >>> tokenize("我爱自然语言 ありがとう")
    ['我', '爱', '自', '然', '语', '言', 'ありがとう']
    """
    if "/>" in sentence:
        sentence = _SPACED_TAG.sub(r"<\1/>", sentence)
    tokens = []
    for chunk in sentence.split():
        # Most words of English need no pattern.
        if chunk.isascii() and chunk.isalpha() and chunk.lower() not in _PLAIN_FUSED:
            tokens.append(chunk)
        else:
            tokens.extend(_token_pattern().findall(chunk))
    if tokens and _drops_last_period(tokens[-1]):
        tokens[-1:] = [tokens[-1][:-1], "."]
    return tokens


def _drops_last_period(token):
    """Say whether the period of a last token ends the sentence: "Plan B."."""
    word = token[:-1]
    is_initial = len(word) == 1 and word.isupper()
    return token.endswith(".") and (is_initial or word in _INNER_PERIOD_WORDS)
