"""Name what the stages hand to each other: windows, what was heard in them, words, turns."""

from dataclasses import dataclass

WINDOW_SECONDS = 30.0  # what Whisper hears at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the media, in seconds from its start; `start` < `end`."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Neighbouring speech that Whisper hears in one go: at most WINDOW_SECONDS long."""

    start: float  # seconds from the start of the media
    end: float
    spans: tuple[Span, ...]  # the speech in it, by start, never overlapping
    channel: int = 0  # in which it was said, where channels are separated


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTime:
    """When a word was said, in seconds from the start of the media."""

    start: float
    end: float
    score: float | None  # 0 to 1; None: borrowed from the neighbours


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardWindow:
    """What Whisper made of a window."""

    window: Window
    language: str  # a Whisper code; of the text's speaker, also when it was translated
    words: tuple[str, ...]  # each with its leading white space: " Hello,"; joined they are the text
    avg_logprob: float  # mean log-probability of the tokens
    no_speech_prob: float  # 0 to 1
    compression_ratio: float  # of the text; high means a loop
    temperature: float  # 0: beam search; higher: what the fallback needed
    times: tuple[WordTime, ...] | None = None  # by cross-attention, one a word, when asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word with its time and, once the speakers are known, its speaker."""

    text: str  # with its leading white space
    start: float  # seconds from the start of the media; words are in order of `start`
    end: float  # never before `start`
    score: float | None
    window: int  # index of the HeardWindow it comes from
    speaker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A stretch in which one speaker talks."""

    start: float
    end: float
    speaker: str  # SPEAKER_00, SPEAKER_01 … in order of appearance


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """Who spoke when."""

    turns: tuple[Turn, ...]  # by start; turns of different speakers may overlap
    exclusive: tuple[Turn, ...]  # by start; never overlapping: the main speaker of each instant
    embeddings: dict[str, tuple[float, ...]]  # by speaker; finite; never all zero
