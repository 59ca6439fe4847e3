"""Gather words into segments: one speaker, one sentence, at most 15 seconds."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.sentences import (
    ends_clause,
    ends_sentence,
    is_dash,
    is_list_number,
    is_mark,
    is_opening,
)
from pipeline.speech import HeardWindow, SpokenWord
from transcript.transcript import Segment, Speaker, Word

MAX_SEGMENT_SECONDS = 15.0  # what is comfortable to read; a single longer word is left whole
LONG_PAUSE_SECONDS = 2.0  # ends a segment even where the punctuation does not

_DECIMALS = 3  # of seconds and scores: a millisecond is what subtitles can say
# White space is not put between windows in these; all others get it where Whisper left it out.
_WRITTEN_WITHOUT_SPACES = frozenset({"bo", "ja", "km", "lo", "my", "th", "yue", "zh"})
_SPACES = re.compile(r"\s{2,}")

# What a cut in a long sentence costs, in units of one missing clause mark.
_ORPHAN_COST = 10.0  # leaves a single word on one side
_UNEVEN_COST = 2.0  # for being MAX_SEGMENT_SECONDS away from an even share
_MAX_PAUSE_GAIN = 1.0  # a pause of a second or more is worth as much as a comma


def segments(words: Sequence[SpokenWord], heard: Sequence[HeardWindow]) -> tuple[Segment, ...]:
    """Cut words into segments.

    A segment ends where a sentence does, where the speaker or the language changes, at a long
    pause, and, if it would be too long, at the best place before. A window's end is no reason:
    Whisper's windows are cut in mid-sentence. A word whose speaker is unknown joins its
    neighbours in the same sentence. Punctuation that stands alone joins the word before it.

    Args:
        words: by start, none lasting into the next.
        heard: the windows that the words come from.

    Returns:
        By start, numbered from 0; times and scores rounded to three decimals.
    """
    joined = _join_marks(words)
    gathered: list[Segment] = []
    for sentence in _sentences(joined, heard):
        for turn in _by_speaker(sentence):
            gathered += [
                _segment(len(gathered) + index, run, heard)
                for index, run in enumerate(_by_length(turn))
            ]
    return tuple(gathered)


def speakers(
    segments: Sequence[Segment], embeddings: Mapping[str, tuple[float, ...]]
) -> tuple[Speaker, ...]:
    """Sum up who was heard, in order of appearance.

    Args:
        segments: by start.
        embeddings: by label; those of labels that no segment has are left out.
    """
    seconds: dict[str, float] = {}
    for segment in segments:
        if segment.speaker is not None:
            length = segment.end - segment.start
            seconds[segment.speaker] = seconds.get(segment.speaker, 0.0) + length
    return tuple(
        Speaker(label=label, seconds=round(total, _DECIMALS), embedding=embeddings.get(label))
        for label, total in seconds.items()
    )


def _join_marks(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    """Join punctuation that stands alone to the word it belongs to, whose times are kept."""
    joined: list[SpokenWord] = []
    opening: list[str] = []  # waits for its word
    for word in words:
        if not is_mark(word.text):
            joined.append(replace(word, text="".join((*opening, word.text))) if opening else word)
            opening = []
        elif opening or not joined or _opens(word.text, joined[-1].text):
            opening.append(word.text)
        else:
            joined[-1] = replace(joined[-1], text=joined[-1].text + word.text)
    rest = "".join(opening)
    if joined:
        joined[-1] = replace(joined[-1], text=joined[-1].text + rest)
    elif rest.strip():
        return [replace(words[0], text=rest, end=words[-1].end)]
    return joined


def _opens(mark: str, before: str) -> bool:
    # Whatever the language: a dash behind a full stop opens a line of dialogue.
    return is_opening(mark) or (is_dash(mark) and ends_sentence(before, None, language=""))


def _sentences(
    words: Sequence[SpokenWord], heard: Sequence[HeardWindow]
) -> Iterator[Sequence[SpokenWord]]:
    first = 0
    for index in range(1, len(words)):
        word, following = words[index - 1], words[index]
        language = heard[word.window].language
        ends = (
            following.start - word.end > LONG_PAUSE_SECONDS
            or heard[following.window].language != language
            or (
                ends_sentence(word.text, following.text, language=language)
                and not (index - 1 == first and is_list_number(word.text))
            )
        )
        if ends:
            yield words[first:index]
            first = index
    if words:
        yield words[first:]


def _by_speaker(sentence: Sequence[SpokenWord]) -> Iterator[Sequence[SpokenWord]]:
    """Cut where the speaker changes.

    Words of an unknown speaker stay with those around them; between two different speakers the
    longest pause decides.
    """
    known = [index for index, word in enumerate(sentence) if word.speaker is not None]
    first = 0
    for left, right in pairwise(known):
        if sentence[left].speaker != sentence[right].speaker:
            cut = max(range(left + 1, right + 1), key=lambda index: _pause(sentence, index))
            yield sentence[first:cut]
            first = cut
    yield sentence[first:]


def _by_length(words: Sequence[SpokenWord]) -> Iterator[Sequence[SpokenWord]]:
    first = 0
    while words[-1].end - words[first].start > MAX_SEGMENT_SECONDS and first + 1 < len(words):
        cut = _best_cut(words, first)
        yield words[first:cut]
        first = cut
    yield words[first:]


def _best_cut(words: Sequence[SpokenWord], first: int) -> int:
    """Choose before which word to cut what starts at `first` and is too long for one segment."""
    start = words[first].start
    seconds = words[-1].end - start
    even = seconds / math.ceil(seconds / MAX_SEGMENT_SECONDS)

    def cost(cut: int) -> float:
        orphans = (cut - first == 1) + (len(words) - cut == 1)
        uneven = abs(words[cut - 1].end - start - even) / MAX_SEGMENT_SECONDS
        return (
            _ORPHAN_COST * orphans
            + _UNEVEN_COST * uneven
            - ends_clause(words[cut - 1].text)
            - min(_pause(words, cut), _MAX_PAUSE_GAIN)
        )

    fitting = []
    for cut in range(first + 1, len(words)):
        if words[cut - 1].end - start > MAX_SEGMENT_SECONDS:
            break
        fitting.append(cut)
    return min(fitting, key=cost, default=first + 1)


def _pause(words: Sequence[SpokenWord], index: int) -> float:
    """How many seconds of silence are before a word."""
    return words[index].start - words[index - 1].end


def _segment(number: int, words: Sequence[SpokenWord], heard: Sequence[HeardWindow]) -> Segment:
    # Of several windows the one that most words come from speaks for the segment.
    window = heard[Counter(word.window for word in words).most_common(1)[0][0]]
    avg_logprob = _finite(window.avg_logprob)
    return Segment(
        id=number,
        start=round(words[0].start, _DECIMALS),
        end=round(max(word.end for word in words), _DECIMALS),
        text=_text(words, language=window.language),
        speaker=next((word.speaker for word in words if word.speaker is not None), None),
        words=tuple(
            Word(
                word=word.text.strip(),
                start=round(word.start, _DECIMALS),
                end=round(word.end, _DECIMALS),
                score=None if word.score is None else round(word.score, _DECIMALS),
                speaker=word.speaker,
            )
            for word in words
        ),
        confidence=None if avg_logprob is None else min(1.0, math.exp(avg_logprob)),
        avg_logprob=avg_logprob,
        no_speech_prob=_finite(window.no_speech_prob),
        compression_ratio=_finite(window.compression_ratio),
        temperature=_finite(window.temperature),
    )


def _text(words: Sequence[SpokenWord], *, language: str) -> str:
    parts = [words[0].text]
    for before, word in pairwise(words):
        glued = before.window != word.window and not word.text[0].isspace()
        if glued and not before.text[-1].isspace() and language not in _WRITTEN_WITHOUT_SPACES:
            parts.append(" ")
        parts.append(word.text)
    return _SPACES.sub(" ", "".join(parts).strip())


def _finite(number: float) -> float | None:
    """Leave out what JSON cannot say."""
    return number if math.isfinite(number) else None
