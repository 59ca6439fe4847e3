"""Find the recordings that are measured on, with what is said in them, when, and by whom."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scoring import SpeakerTurn, TimedWord
from deploy.local.sample import sample_call
from deploy.local.stack import ROOT

BESIDE = ROOT.parent / "shared" / "audio"  # where a checkout may have more than the sample call
SAMPLE_SECONDS = 30.0
LEAST_SECONDS = 10.0  # shorter ones have a benchmark of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Media and its references; what a reference does not say is None or empty."""

    name: str
    media: Path
    seconds: float
    text: str | None = None
    turns: tuple[SpeakerTurn, ...] = ()
    lines: tuple[SpeakerTurn, ...] = ()  # edges by hand, so that words can be held against them
    words: tuple[TimedWord, ...] = ()


def english(folder: Path = BESIDE) -> list[Recording]:
    """Return the sample call, and the folder's English recordings with a sure reference.

    English only, and one channel: WhisperX's aligner of another language is another network.
    """
    sample = _sample()
    return [sample, *(_recording(folder, entry) for entry in _entries(folder) if _counts(entry))]


def of_each_container(folder: Path = BESIDE) -> list[Path]:
    """Return a short recording of each kind of file there is, shortest first, of any language."""
    shortest: dict[str, tuple[float, Path]] = {}
    for entry in _entries(folder):
        if entry["language"] != "zxx":
            found = (entry["duration_s"], folder / entry["path"])
            suffix = found[1].suffix
            shortest[suffix] = min(found, shortest.get(suffix, found))
    return [media for _, media in sorted(shortest.values())]


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    manifest = folder / "manifest.json"
    if manifest.is_file():
        yield from json.loads(manifest.read_text("utf-8"))


def _counts(entry: dict[str, Any]) -> bool:
    return bool(
        entry["language"] == "en"
        and entry["reference_confidence"] == "high"
        and entry["channels"] == 1
        and entry["duration_s"] >= LEAST_SECONDS
    )


def _sample() -> Recording:
    media = sample_call()
    lines = tuple(_lines(media.with_suffix(".stm")))
    return Recording(
        name="sample call",
        media=media,
        seconds=SAMPLE_SECONDS,
        text=" ".join(text for _, text in lines),
        turns=_turns(media.with_suffix(".rttm")),
        lines=tuple(line for line, _ in lines),
    )


def _recording(folder: Path, entry: dict[str, Any]) -> Recording:
    words = json.loads((folder / entry["words"]).read_text("utf-8")) if "words" in entry else []
    return Recording(
        name=Path(entry["path"]).name,
        media=folder / entry["path"],
        seconds=entry["duration_s"],
        text=entry.get("text"),
        turns=_turns(folder / entry["rttm"]) if "rttm" in entry else (),
        words=tuple(TimedWord(word=w["word"], start=w["start"], end=w["end"]) for w in words),
    )


def _turns(rttm: Path) -> tuple[SpeakerTurn, ...]:
    turns = []
    for line in rttm.read_text("utf-8").splitlines():
        _, _, _, start, length, _, _, speaker, *_ = line.split()
        end = float(start) + float(length)
        turns.append(SpeakerTurn(start=float(start), end=end, speaker=speaker))
    return tuple(turns)


def _lines(stm: Path) -> Iterator[tuple[SpeakerTurn, str]]:
    for line in stm.read_text("utf-8").splitlines():
        _, _, speaker, start, end, text = line.split(maxsplit=5)
        yield SpeakerTurn(start=float(start), end=float(end), speaker=speaker), text
