"""Say how far a transcript is from what was said, when, and by whom."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyannote.core import Annotation
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedWord:
    """A word and when it is said."""

    word: str
    start: float  # seconds
    end: float  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerTurn:
    """A stretch in which one speaker talks; turns may overlap."""

    start: float  # seconds
    end: float  # seconds
    speaker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Something wrong out of something that was there, in any unit; adds up over recordings."""

    wrong: float
    total: float

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(wrong=self.wrong + other.wrong, total=self.total + other.total)

    @property
    def rate(self) -> float:
        """Share in percent; may exceed 100."""
        return 100 * self.wrong / self.total if self.total else 0.0


NOTHING = Errors(wrong=0, total=0)


def normalized(text: str) -> str:
    """Write English text as Whisper's authors do before they count errors.

    Theirs also turns British spellings into American ones, by a table that comes with published
    models and not with the `transformers` package; here spellings stay. Both sides of a comparison
    go through the same.

    Source: Radford et al. 2022, arXiv:2212.04356, appendix C.
    """
    return str(_normalizer()(text)).strip()


@cache
def _normalizer() -> "EnglishTextNormalizer":
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    return EnglishTextNormalizer({})  # type: ignore[no-untyped-call]  # transformers has half its types


def word_errors(reference: str, heard: str) -> Errors:
    """Count substituted, missing and added words, in words of the normalised reference."""
    import jiwer

    said, written = normalized(reference), normalized(heard)
    if not said:
        return Errors(wrong=len(written.split()), total=0)
    found = jiwer.process_words(said, written)
    return Errors(
        wrong=found.substitutions + found.deletions + found.insertions, total=len(said.split())
    )


def speaker_errors(
    reference: Iterable[SpeakerTurn], found: Iterable[SpeakerTurn], *, seconds: float
) -> Errors:
    """Count missed, invented and confused seconds of speech: no collar, overlap included.

    Args:
        reference: who spoke when.
        found: who was found to speak when; its labels are matched to the reference's.
        seconds: of the recording, all of which counts.

    Source: pyannote.metrics, Bredin 2017.
    """
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    rate = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    whole = Timeline([Segment(0.0, seconds)])
    parts = rate(_annotation(reference), _annotation(found), uem=whole, detailed=True)
    wrong = parts["missed detection"] + parts["false alarm"] + parts["confusion"]
    return Errors(wrong=float(wrong), total=float(parts["total"]))


def _annotation(turns: Iterable[SpeakerTurn]) -> "Annotation":
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), number] = turn.speaker
    return annotation


def edge_errors(reference: Sequence[TimedWord], found: Sequence[TimedWord]) -> list[float]:
    """Return how far starts and ends are off, in seconds, of each word that was heard right.

    Words are matched in the order that makes for the fewest word errors; those that were heard
    wrong or not at all are left out, as they are counted by `word_errors`.
    """
    import jiwer

    said, said_by = _spelled(reference)
    written, written_by = _spelled(found)
    if not said or not written:
        return []
    (chunks,) = jiwer.process_words(" ".join(said), " ".join(written)).alignments
    pairs = {
        (said_by[chunk.ref_start_idx + step], written_by[chunk.hyp_start_idx + step])
        for chunk in chunks
        if chunk.type == "equal"
        for step in range(chunk.ref_end_idx - chunk.ref_start_idx)
    }
    return [
        abs(getattr(reference[mine], edge) - getattr(found[theirs], edge))
        for mine, theirs in sorted(pairs)
        for edge in ("start", "end")
    ]


def _spelled(words: Sequence[TimedWord]) -> tuple[list[str], list[int]]:
    """Return normalised words, and whose each is; a word may become several, or none."""
    spelled: list[str] = []
    owners: list[int] = []
    for index, word in enumerate(words):
        parts = normalized(word.word).split()
        spelled += parts
        owners += [index] * len(parts)
    return spelled, owners


def line_errors(lines: Iterable[SpeakerTurn], found: Sequence[TimedWord]) -> list[float]:
    """Return how far the edges of lines are from the nearest word's start, or end, in seconds.

    For references that say when a line begins and ends, but not each of its words.
    """
    if not found:
        return []
    errors: list[float] = []
    for line in lines:
        errors.append(min(abs(line.start - word.start) for word in found))
        errors.append(min(abs(line.end - word.end) for word in found))
    return errors


def median(values: Sequence[float]) -> float | None:
    """Return the median; None of nothing."""
    return statistics.median(values) if values else None
