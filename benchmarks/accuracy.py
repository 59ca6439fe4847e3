"""Hold what contenders heard against the references: words, their times, and speakers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from benchmarks.hypothesis import Hypothesis
from benchmarks.recordings import Recording
from benchmarks.scoring import (
    NOTHING,
    Errors,
    edge_errors,
    line_errors,
    median,
    speaker_errors,
    word_errors,
)


@dataclass(slots=True, kw_only=True)
class Accuracy:
    """How one contender did, over recordings and on each."""

    words: dict[str, Errors] = field(default_factory=dict)  # by recording
    speakers: dict[str, Errors] = field(default_factory=dict)  # seconds, by recording
    word_edges: list[float] = field(default_factory=list)  # seconds off, of each edge
    line_edges: list[float] = field(default_factory=list)  # the same, of whole lines

    def add(self, recording: Recording, heard: Hypothesis) -> None:
        """Score one recording by all that its references say."""
        name = recording.name
        if recording.text is not None:
            self.words[name] = word_errors(recording.text, heard.text)
        if recording.turns:
            self.speakers[name] = speaker_errors(
                recording.turns, heard.turns, seconds=recording.seconds
            )
        self.word_edges += edge_errors(recording.words, heard.words)
        self.line_edges += line_errors(recording.lines, heard.words)

    @property
    def word_error_rate(self) -> float:
        """In percent of all words of the references."""
        return sum(self.words.values(), NOTHING).rate

    @property
    def diarization_error_rate(self) -> float:
        """In percent of all speech of the references."""
        return sum(self.speakers.values(), NOTHING).rate

    def rows(self) -> dict[str, float | None]:
        """Return every figure by its name."""
        rates: dict[str, float | None] = {
            "word error rate, %": self.word_error_rate,
            **{f"word error rate, {name}, %": each.rate for name, each in self.words.items()},
            "diarization error rate, %": self.diarization_error_rate,
            **{
                f"diarization error rate, {name}, %": each.rate
                for name, each in self.speakers.items()
            },
        }
        if self.word_edges:
            rates["word edges off, median, s"] = median(self.word_edges)
            rates["word edges off, 95th percentile, s"] = _percentile(self.word_edges, 95)
        rates["line edges off, median, s"] = median(self.line_edges)
        return rates


def accuracy(recordings: Iterable[Recording], heard: Mapping[str, Hypothesis]) -> Accuracy:
    """Score what was heard, by recording."""
    found = Accuracy()
    for recording in recordings:
        found.add(recording, heard[recording.name])
    return found


def _percentile(values: list[float], percent: int) -> float:
    import numpy as np

    return float(np.percentile(values, percent))
