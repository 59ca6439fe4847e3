"""Divide what Whisper wrote into words."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer

# Belongs to the word that follows.
_OPENING = frozenset("\"'“‘¿¡([{-„«「『《（【")  # noqa: RUF001  as they are written
_SPOKEN_SIGNS = frozenset("&%@#*")  # punctuation to Unicode, words to a reader


@dataclass(frozen=True, slots=True, kw_only=True)
class SpelledWord:
    """A word of a text, and which of the text's tokens spell its sound."""

    text: str  # with its leading white space and the punctuation that sticks to it
    first: int  # index of its first token that is no loose punctuation
    last: int  # index after its last such token; `first` < `last`


def spelled_words(tokens: Sequence[int], tokenizer: "Tokenizer") -> tuple[SpelledWord, ...]:
    """Divide a text into its words, punctuation merged into them; joined they are the text.

    In languages written without spaces a word is a character, or the few that share a token.
    """
    # A translation is English, whatever language the tokenizer was made for.
    translated = tokenizer.task is not None and tokenizer.task == tokenizer.translate
    split = tokenizer.split_tokens_on_spaces if translated else tokenizer.split_to_word_tokens
    texts, groups = split(list(tokens))
    words = []
    first = 0
    for text, group in zip(texts, groups, strict=True):
        # U+FFFD: a character whose bytes the token limit cut in two.
        words.append(
            SpelledWord(text=text.replace("\ufffd", ""), first=first, last=first + len(group))
        )
        first += len(group)
    return merged_punctuation([word for word in words if word.text])


def merged_punctuation(words: Iterable[SpelledWord]) -> tuple[SpelledWord, ...]:
    """Give loose punctuation to the word before it, or after it where it opens something.

    The word keeps its own tokens: a full stop is "said" in the pause, a word is not.
    """
    merged: list[SpelledWord] = []
    opening: list[SpelledWord] = []
    for word in words:
        if is_punctuation(word.text):
            opens = word.text[0].isspace() and word.text.strip() in _OPENING
            if opens or opening or not merged:
                opening.append(word)
            else:
                merged[-1] = replace(merged[-1], text=merged[-1].text + word.text)
            continue
        merged.append(replace(word, text="".join(mark.text for mark in opening) + word.text))
        opening = []
    if opening and merged:
        rest = "".join(mark.text for mark in opening)
        merged[-1] = replace(merged[-1], text=merged[-1].text + rest)
        opening = []
    return tuple(merged or opening)


def is_punctuation(text: str) -> bool:
    """Nobody would say any of it."""
    return all(
        character.isspace()
        or (unicodedata.category(character)[0] == "P" and character not in _SPOKEN_SIGNS)
        for character in text
    )
