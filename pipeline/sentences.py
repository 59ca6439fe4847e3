"""Tell from a word and the one behind it whether a sentence ends between them.

A rule of thumb for every language that Whisper writes; where it is in doubt the sentence goes
on, since a segment has a limit in seconds as well. No trained splitter is used: NLTK's knows
seventeen languages and must be downloaded.
"""

import re
import unicodedata

# Full stops of all scripts that end a sentence whatever follows: Latin, CJK, Arabic, Urdu,
# Devanagari, Armenian, Ethiopic, Burmese, Khmer, Tibetan, Mongolian.
_TERMINATORS = frozenset("!?‼⁇⁈⁉。！？．｡؟۔।॥։።፧፨။។៕།༎᠃")  # noqa: RUF001 - these very characters
_CLAUSE_MARKS = frozenset(",;:—–、，；：､،؛၊፣፤፥")  # noqa: RUF001 - these very characters
_GREEK_QUESTION = frozenset(";\u037e")
_QUOTES = "\"'`"
_OPENERS = _QUOTES + "([{“„«‹¿¡-–—"  # noqa: RUF001 - these very characters
_SPOKEN_MARKS = frozenset("&%@#§*/\\")  # punctuation to Unicode, but said aloud

# Written before a name or a number, so that no sentence ends there. Lower case, without the dot.
_NEVER_LAST = frozenset(
    {"mr", "mrs", "ms", "messrs", "mx", "dr", "drs", "prof", "st", "ste", "mt", "gen", "col", "sgt"}
    | {"capt", "cmdr", "lt", "maj", "rev", "hon", "gov", "sen", "rep", "vs", "approx", "cf"}
    | {
        "ca",
        "resp",
        "bzw",
        "sog",
        "evtl",
        "ggf",
        "inkl",
        "zzgl",
        "vgl",
        "hr",
        "fr",
        "frl",
    }  # German
    | {"mme", "mlle", "mgr", "sr", "sra", "srta", "dra", "sig", "dott", "avv"}  # Romance
    | {"dhr", "mevr", "mw", "bijv"}  # Dutch
    | {"e.g", "i.e", "z.b", "d.h", "u.a", "o.ä", "p.ex", "t.ex", "bl.a", "f.eks"}
    | {"т.е", "т.к"}  # noqa: RUF001 - Russian
)
_BEFORE_NUMBERS = frozenset(
    {"no", "nr", "nos", "fig", "figs", "vol", "art", "p", "pp", "ch", "sec", "ex", "op", "núm"}
)
_MAYBE_LAST = frozenset(
    {"etc", "usw", "jr", "inc", "ltd", "co", "corp", "bros", "dept", "est", "ave", "blvd", "ft"}
)
# A number with a dot is "the third" in these.
_DOTTED_ORDINALS = frozenset(
    {"bs", "cs", "da", "de", "et", "fi", "fo", "hr", "hu", "is", "lb", "lv", "nn", "no", "pl"}
    | {"sk", "sl", "sr", "tr"}
)
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")  # U.S, a.m, Ph.D; the last dot is off
_MAX_ORDINAL_DIGITS = 2  # longer ones are years, which do end sentences
_MAX_SHORT_LETTERS = 3  # "approx." is listed; unlisted abbreviations are mostly this short


def ends_sentence(word: str, following: str | None, *, language: str) -> bool:
    """Whether a sentence ends with a word.

    Args:
        word: with its punctuation.
        following: the next word, with its leading white space; None: there is none.
        language: a Whisper code.
    """
    bare = word.rstrip()
    closed = _without_closers(bare)
    last = closed[-1:]
    if last in _TERMINATORS or (language == "el" and last in _GREEK_QUESTION):
        # "Why?" he asked.
        return not (closed != bare and _starts_lower(following))
    if last == "…" or closed.endswith(".."):
        return not _starts_lower(following)
    if last != ".":
        return False
    return following is None or _full_stop(closed.lstrip(), following, language)


def ends_clause(word: str) -> bool:
    """Whether a word is followed by a comma or the like: a good place to break a long sentence."""
    return _without_closers(word.rstrip())[-1:] in _CLAUSE_MARKS


def is_mark(text: str) -> bool:
    """Whether a text is punctuation alone, or nothing: not a word that somebody said."""
    if text[:2].strip().isalnum():  # almost every text; what follows costs ten times more
        return False
    return all(
        character.isspace()
        or (unicodedata.category(character)[0] == "P" and character not in _SPOKEN_MARKS)
        for character in text
    )


def is_opening(mark: str) -> bool:
    """Whether a mark belongs to the word behind it: an opening bracket or quote, ¿ or ¡."""
    bare = mark.strip()
    return bool(bare) and all(
        unicodedata.category(character) in ("Ps", "Pi") or character in "¿¡" for character in bare
    )


def is_dash(mark: str) -> bool:
    """Whether a mark is a dash, as before a line of dialogue."""
    bare = mark.strip()
    return bool(bare) and all(unicodedata.category(character) == "Pd" for character in bare)


def is_list_number(word: str) -> bool:
    """Whether a word is a number with a dot, such as opens the items of a list."""
    bare = word.strip()
    return bare.endswith(".") and bare[:-1].isdecimal()


def _full_stop(word: str, following: str, language: str) -> bool:
    """Whether the dot at the end of a word is a full stop; something follows."""
    stem = word[:-1].lstrip(_OPENERS)
    lower = stem.lower()
    ahead = _first_character(following)
    glued = following[:1].isascii() and following[:1].isalnum()  # 3. + 5, example. + com
    ordinal = stem.isdecimal() and len(stem) <= _MAX_ORDINAL_DIGITS and language in _DOTTED_ORDINALS
    # "So do I." is commoner than an initial I.
    initial = len(stem) == 1 and stem.isalpha() and not (stem == "I" and language == "en")
    dotted = _DOTTED.fullmatch(stem) is not None
    # "at 5 p.m. Then", but "the U.S. Army", "J.R.R. Tolkien"
    last = ahead.isupper() and (lower in _MAYBE_LAST or stem[:1].islower())
    return not (
        glued
        or ordinal
        or initial
        or lower in _NEVER_LAST
        or (lower in _BEFORE_NUMBERS and ahead.isdecimal())
        or ((dotted or lower in _MAYBE_LAST) and not last)
        or (len(stem) <= _MAX_SHORT_LETTERS and ahead.islower())
    )


def _without_closers(text: str) -> str:
    """Strip closing quotes and brackets; “ closes in German."""
    end = len(text)
    while end and (
        text[end - 1] in _QUOTES or unicodedata.category(text[end - 1]) in ("Pe", "Pf", "Pi")
    ):
        end -= 1
    return text[:end]


def _first_character(text: str) -> str:
    """Skip white space and punctuation; empty if nothing else is there."""
    return next((character for character in text if character.isalnum()), "")


def _starts_lower(text: str | None) -> bool:
    return text is not None and _first_character(text).islower()
