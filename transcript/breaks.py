"""Weigh where a line or a cue may end.

The lower the penalty of a break, the better. One unit is as bad as missing the ideal place by the
width of what is broken: a line, or a whole cue.
"""

from transcript.punctuation import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS

_AFTER_SENTENCE = -0.15
_AFTER_CLAUSE = 0.0
_AFTER_WORD = 0.1
_AFTER_SHORT_WORD = 0.14  # articles and prepositions belong to what follows them
_INSIDE_WORD = 0.3
_PAUSE_BONUS = 0.15  # for each second of silence, up to one

_SHORT_WORD = 3  # letters


def break_penalty(spoken: str, following: str, *, inside_word: bool, silence: float) -> float:
    """Weigh a break between two pieces of text.

    Args:
        spoken: what ends here.
        following: what would begin the next line or cue.
        inside_word: whether both belong to one word.
        silence: seconds between the two; negative when they overlap.
    """
    bonus = _PAUSE_BONUS * min(silence, 1.0) if silence > 0 else 0.0
    stem = spoken.rstrip(CLOSERS)
    if stem.endswith(SENTENCE_ENDS) and not _abbreviates(stem, following):
        return _AFTER_SENTENCE - bonus
    if stem.endswith(CLAUSE_ENDS):
        return _AFTER_CLAUSE - bonus
    if inside_word:
        return _INSIDE_WORD - bonus
    is_short = len(stem) <= _SHORT_WORD and spoken.isascii()
    return (_AFTER_SHORT_WORD if is_short else _AFTER_WORD) - bonus


def _abbreviates(stem: str, following: str) -> bool:
    """Tell "Dr.", "e.g." and "approx. five" from a sentence's end, without knowing the language."""
    if not stem.endswith("."):
        return False
    letters = stem[:-1]
    is_title = letters[:1].isupper() and len(letters) <= _SHORT_WORD
    return is_title or "." in letters or following[:1].islower()
