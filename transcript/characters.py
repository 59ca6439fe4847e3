"""Say what a character needs from a line: whether it shows, how wide it is, where it may break."""

import re
from functools import lru_cache
from unicodedata import category, east_asian_width

from transcript.punctuation import NO_LINE_ENDS, NO_LINE_STARTS

# What has no business in a line of text: controls that are no white space, and the byte order
# mark, which some readers take for the start of a file.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff]+")
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # no encoding has bytes for these
# White space at which a line may break, every line separator of Unicode among it. The no-break
# spaces U+00A0, U+2007 and U+202F are left out: "10 000" stays on one line.
_SPACES = re.compile(r"[\t-\r\x1c- \x85\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+")

_ZERO_WIDTH_SPACE = "\u200b"  # marks a word's end in scripts without spaces
_JOINER = "\u200d"  # binds emoji to one picture
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc]")
# Thai, Lao, Tibetan, Burmese, Khmer: no spaces between words, but no break inside them either.
_UNSPACED = re.compile(r"[\u0e01-\u0fff\u1000-\u109f\u1780-\u17ff]")


def printable(text: str) -> str:
    """Return the text as one line that no file format can stumble over.

    White space of any kind and length becomes one space, edges are trimmed, controls are left
    out, and halves of surrogate pairs become U+FFFD. What shows nothing at all is empty.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    text = _LONE_SURROGATES.sub("\ufffd", _SPACES.sub(" ", _UNPRINTABLE.sub("", text)))
    # A no-break space at the edge of a word binds it to nothing.
    words = (part.strip() for part in text.split(" "))
    return " ".join(word for word in words if any(map(_columns, word)))


def width(text: str) -> int:
    """Count the columns that a text takes: two for East Asian full width, none for marks.

    Source: Unicode Standard Annex 11.
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=8192)
def _columns(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in ("W", "F") else 1


@lru_cache(maxsize=8192)
def _is_ideographic(character: str) -> bool:
    """Tell Chinese, Japanese and emoji, where a line may break at any character."""
    return _columns(character) == 2 and not _HANGUL.match(character)


def may_part(left: str, right: str, *, at_word_edge: bool) -> bool:
    """Tell whether a line may break between two characters that no space parts.

    Args:
        left: one character.
        right: the one after it.
        at_word_edge: whether a word is known to end or to begin here.
    """
    if right in NO_LINE_STARTS or left in NO_LINE_ENDS or splits_cluster(left, right):
        return False
    if left.isspace() or right.isspace():  # a no-break space
        return False
    if _is_ideographic(left) or _is_ideographic(right) or left in ("—", _ZERO_WIDTH_SPACE):
        return True
    return at_word_edge and bool(_UNSPACED.match(left) or _UNSPACED.match(right))


def splits_cluster(left: str, right: str) -> bool:
    """Tell whether two characters are drawn as one."""
    if right.isascii():
        return False
    is_skin_tone = "\U0001f3fb" <= right <= "\U0001f3ff"
    return is_skin_tone or left == _JOINER or not _columns(right) or category(right) == "Mc"


def joins_without_space(left: str, right: str) -> bool:
    """Tell whether two texts follow each other without a space, as in Chinese and Japanese."""
    return bool(left and right) and _is_ideographic(left[-1]) and _is_ideographic(right[0])
