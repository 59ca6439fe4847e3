"""Find when each word was said from where Whisper looked while it wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.speech import HeardWindow, Span, Window, WordTime
from pipeline.spelled_words import SpelledWord, is_punctuation, spelled_words
from pipeline.waveform import Waveform
from pipeline.windows import samples_of

if TYPE_CHECKING:
    from pipeline.decoding_plan import DecodingPlan
    from pipeline.whisper import WhisperRecognizer

FRAME_SECONDS = 0.02  # one frame of the encoder's output; nothing here is more exact
_MOST_UNDER_PUNCTUATION = 0.3  # seconds of a word that attention books under its punctuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Where in a window the tokens of its text are."""

    starts: npt.NDArray[np.float64]  # shape (n_tokens + 1,), seconds in the window, end included
    probabilities: npt.NDArray[np.float64]  # shape (n_tokens,), 0 to 1


def alignment_of(result: Any) -> Alignment:
    """Read what CTranslate2's `Whisper.align` says of one text.

    Its path is a list of (token, frame); a token starts where the path first reaches it.
    """
    path = np.asarray(result.alignments, dtype=np.int64).reshape(-1, 2)
    first = np.flatnonzero(np.diff(path[:, 0], prepend=-1))
    return Alignment(
        starts=path[first, 1] * FRAME_SECONDS,
        probabilities=np.asarray(result.text_token_probs, dtype=np.float64),
    )


def word_times(
    words: Sequence[SpelledWord], alignment: Alignment, window: Window
) -> tuple[WordTime, ...]:
    """Give every word of a window its time.

    Attention knows where a word leaves off for the next one, but not where it begins after a pause
    or ends before one: there it drifts into the silence. So words are kept to the speech that
    voice activity detection found, and to a length that somebody could need for saying them.

    Args:
        words: all words of the window's text.
        alignment: of the same text.
        window: where it was said.

    Returns:
        As many as words, in order: inside the window, `start` and `end` never falling, none
        reaching into the next. `score` is the mean probability of the word's tokens.

    Source: word times by cross-attention and dynamic time warping are openai/whisper's; keeping
    them to speech is an idea of stable-ts (github.com/jianfch/stable-ts).
    """
    rough = [
        (
            window.start + float(alignment.starts[word.first]),
            window.start + float(alignment.starts[word.last]),
        )
        for word in words
    ]
    after_pause = [index == 0 or _ends_clause(words[index - 1]) for index in range(len(words))]
    before_pause = [
        index + 1 == len(words) or _ends_clause(words[index]) for index in range(len(words))
    ]
    placed = []
    for index, (start, end) in enumerate(rough):
        if before_pause[index]:
            # A full stop gets what is left of the word, and then some of the silence.
            following = rough[index + 1][0] if index + 1 < len(rough) else window.end
            end += min(_MOST_UNDER_PUNCTUATION, (_speech_until(end, following, window) - end) / 2)
        start, end = _kept_to_speech(
            start, end, window.spans, from_start=after_pause[index], from_end=before_pause[index]
        )
        longest = _longest_seconds(words[index].text)
        if end - start > longest and after_pause[index]:
            start = end - longest
        elif end - start > longest and before_pause[index]:
            end = start + longest
        placed.append((start, end))
    ordered = _in_order(_stretched(placed, [word.text for word in words]), window)
    return tuple(
        WordTime(
            start=start,
            end=end,
            score=float(np.clip(np.mean(alignment.probabilities[word.first : word.last]), 0, 1)),
        )
        for word, (start, end) in zip(words, ordered, strict=True)
    )


def align_heard_window(
    waveform: Waveform, heard: HeardWindow, recognizer: "WhisperRecognizer", plan: "DecodingPlan"
) -> tuple[WordTime, ...]:
    """Find the times of words that were heard without any.

    For when another aligner failed: the window goes through the encoder once more, so it is
    cheaper to ask for the times while it is recognised.

    Args:
        waveform: of the whole media.
        heard: what was heard in one of its windows.
        recognizer: any Whisper model; best the one that wrote the words.
        plan: the language and task that the words were written with.
    """
    tokens: list[int] = []
    words = []
    for word in heard.words:
        spelled = spelled_words(own := plan.tokenizer.encode(word), plan.tokenizer)
        words.append(
            SpelledWord(
                text=word,
                first=len(tokens) + (spelled[0].first if spelled else 0),
                last=len(tokens) + (spelled[-1].last if spelled else len(own)),
            )
        )
        tokens += own
    samples = samples_of(waveform, heard.window)
    (alignment,) = recognizer.align([samples], plan, [tokens])
    return word_times(words, alignment, heard.window) if alignment is not None else ()


def _speech_until(time: float, limit: float, window: Window) -> float:
    """Say how long the speech goes on that is heard at a time; `time` itself: there is none."""
    for span in window.spans:
        if span.start <= time < span.end:
            return max(time, min(span.end, limit))
    return time


def _kept_to_speech(
    start: float, end: float, spans: Sequence[Span], *, from_start: bool, from_end: bool
) -> tuple[float, float]:
    """Cut a word that reaches across silence down to one stretch of speech.

    A word after a pause is said where it ends, a word before a pause where it begins, any other
    where most of it is.
    """
    pieces = [
        (max(start, span.start), min(end, span.end))
        for span in spans
        if span.start < end and start < span.end
    ]
    if not pieces:
        return start, end  # speech that voice activity detection missed
    if from_start and not from_end:
        return pieces[-1]
    if from_end and not from_start:
        return pieces[0]
    return max(pieces, key=lambda piece: piece[1] - piece[0])


def _ends_clause(word: SpelledWord) -> bool:
    return is_punctuation(word.text[-1])


def _longest_seconds(text: str) -> float:
    """Say how long a word can take; drawn-out speech is still shorter."""
    return 0.5 + 0.1 * _letters(text)


def _shortest_seconds(text: str) -> float:
    """Say how long a word takes at least; the fastest speech has some 25 letters a second."""
    return min(0.3, 0.04 * max(1, _letters(text)))


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _stretched(
    times: Sequence[tuple[float, float]], texts: Sequence[str]
) -> list[tuple[float, float]]:
    """Give words that got next to no time some of the free time before them, then after.

    It was given to the punctuation around them, which takes none.
    """
    stretched: list[tuple[float, float]] = []
    for index, (start, end) in enumerate(times):
        missing = _shortest_seconds(texts[index]) - (end - start)
        if missing > 0:
            free = start - stretched[-1][1] if stretched else start
            start -= min(missing, max(0.0, free))
            following = times[index + 1][0] if index + 1 < len(times) else end
            missing = _shortest_seconds(texts[index]) - (end - start)
            end += min(max(0.0, missing), max(0.0, following - end))
        stretched.append((start, end))
    return stretched


def _in_order(times: Sequence[tuple[float, float]], window: Window) -> list[tuple[float, float]]:
    ordered = []
    earliest = window.start
    for start, end in times:
        start = min(max(start, earliest), window.end)
        end = min(max(end, start), window.end)
        earliest = end
        ordered.append((start, end))
    return ordered
