"""Splice short turns of several voices together, so that it is known who speaks when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.speech import Turn
from pipeline.waveform import SAMPLE_RATE, Waveform

SECONDS = 60.0  # of a splice
TURN_SECONDS = 1.0, 5.0
PAUSE_SECONDS = -0.5, 0.8  # to the next turn; below zero they overlap
NOISE = 3e-4  # deviation; a pause is never silent
LEVEL = 0.05  # root mean square of every voice
SHORTEST_ALONE_SECONDS = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A recording of which it is known who speaks when."""

    name: str
    waveform: Waveform
    turns: tuple[Turn, ...]


def read_rttm(path: Path) -> tuple[Turn, ...]:
    """Read who speaks when."""
    lines = (line.split() for line in path.read_text().splitlines())
    return tuple(
        Turn(start=float(f[3]), end=float(f[3]) + float(f[4]), speaker=f[7])
        for f in lines
        if f and f[0] == "SPEAKER"
    )


def voices(recordings: Iterable[Spoken]) -> dict[str, Waveform]:
    """Collect what each speaker says while nobody else does, at one level."""
    found = {}
    for recording in recordings:
        for speaker in sorted({turn.speaker for turn in recording.turns}):
            sound = _alone(recording, speaker)
            found[f"{recording.name.split('.')[0]} {speaker}"] = (
                sound * (LEVEL / np.sqrt(np.square(sound).mean()))
            ).astype(np.float32)
    return found


def splice(said: dict[str, Waveform], speakers: Sequence[str], *, seed: int) -> Spoken:
    """Let some voices take turns of one to five seconds, in any order, for a minute."""
    random = np.random.default_rng(seed)
    room = round((SECONDS + TURN_SECONDS[1] + 1) * SAMPLE_RATE)
    waveform = random.normal(0, NOISE, room).astype(np.float32)
    position = dict.fromkeys(speakers, 0)
    turns: list[Turn] = []
    start = 0.3
    while start < SECONDS:
        others = [s for s in speakers if not turns or s != turns[-1].speaker]
        speaker = others[random.integers(len(others))]
        sound = said[speaker]
        length = min(round(random.uniform(*TURN_SECONDS) * SAMPLE_RATE), len(sound))
        first = position[speaker] if position[speaker] + length <= len(sound) else 0
        position[speaker] = first + length
        at = round(start * SAMPLE_RATE)
        waveform[at : at + length] += sound[first : first + length]
        turns.append(Turn(start=start, end=start + length / SAMPLE_RATE, speaker=speaker))
        start = max(start, turns[-1].end + random.uniform(*PAUSE_SECONDS))
    end = round((max(turn.end for turn in turns) + 0.3) * SAMPLE_RATE)
    name = f"splice {seed}, {len(speakers)} voices"
    return Spoken(name=name, waveform=waveform[:end], turns=tuple(turns))


def splices(said: dict[str, Waveform], *, count: int, first: int = 0) -> list[Spoken]:
    """Make splices of two to six voices; of other seeds than `first` on, they are others."""
    made = []
    for seed in range(first, first + count):
        random = np.random.default_rng(seed)
        n_speakers = min(2 + seed % 5, len(said))
        speakers = [str(name) for name in random.choice(sorted(said), n_speakers, replace=False)]
        made.append(splice(said, speakers, seed=seed))
    return made


def _alone(recording: Spoken, speaker: str) -> Waveform:
    count = len(recording.waveform)
    mine, others = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    for turn in recording.turns:
        flags = mine if turn.speaker == speaker else others
        flags[round(turn.start * SAMPLE_RATE) : round(turn.end * SAMPLE_RATE)] = True
    edges = np.flatnonzero(np.diff((mine & ~others).astype(np.int8), prepend=0, append=0))
    pieces = [
        recording.waveform[first:last]
        for first, last in edges.reshape(-1, 2).tolist()
        if last - first > SHORTEST_ALONE_SECONDS * SAMPLE_RATE
    ]
    return np.concatenate(pieces)
