"""Time and score whole recordings: text, word times and speakers, beside WhisperX as it comes.

Both have the same Whisper model, aligner and diarizer networks, each a process of its own, and take
turns recording by recording. This pipeline decodes its media within its time; WhisperX gets it
decoded. Where the real aligner is not in the cache, both align with random weights, which cost as
much; then this pipeline's own word times, from Whisper's cross-attention, are scored besides, in
one pass that is not timed.
"""

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.accuracy import accuracy
from benchmarks.goals import Goal
from benchmarks.hypothesis import OURS, WHISPERX, Hypothesis
from benchmarks.made_aligner import english_aligner
from benchmarks.ours import Ours
from benchmarks.own_process import OwnProcess
from benchmarks.recordings import Recording, english
from benchmarks.stock import Stock
from benchmarks.turns import in_turns, median_ratio
from pipeline.device import choose_device
from pipeline.settings import PipelineSettings

ALONE = "this pipeline, without an aligner"
ALL = "**all**"
TIMES_AS_FAST = 2.5
WORD_POINTS, SPEAKER_POINTS = 0.2, 0.5  # of the error rates: how much worse it may be
_EDGES = ("word edges off", "line edges off")  # say nothing of random weights


def measure(*, runs: int = 5, quick: bool = False) -> dict[str, Any]:
    """Return each run's seconds for each recording, and how right both were."""
    settings = PipelineSettings(device="cpu")
    recordings = english()[:1] if quick else english()
    model = choose_device(settings).default_model
    with english_aligner(settings) as aligner:
        with (
            OwnProcess(partial(Stock, settings, model, aligner.folder)) as stock,
            OwnProcess(partial(Ours, aligner.settings)) as ours,
        ):
            seconds, heard = _together(recordings, stock, ours, runs=1 if quick else runs)
        if not aligner.is_real:
            heard[ALONE] = _alone(recordings, settings)
    rows = {name: accuracy(recordings, each).rows() for name, each in heard.items()}
    if not aligner.is_real:
        for name in (WHISPERX, OURS):
            rows[name] = {
                row: None if row.startswith(_EDGES) else value for row, value in rows[name].items()
            }
    return {
        "media_seconds": {recording.name: recording.seconds for recording in recordings},
        "model": model,
        "aligner": "real" if aligner.is_real else "random weights",
        "seconds": seconds,
        "accuracy": rows,
    }


def _together(
    recordings: Sequence[Recording],
    stock: OwnProcess[Stock],
    ours: OwnProcess[Ours],
    *,
    runs: int,
) -> tuple[dict[str, dict[str, list[float]]], dict[str, dict[str, Hypothesis]]]:
    """Let both take turns; return seconds and what was heard, by contender and recording."""
    seconds: dict[str, dict[str, list[float]]] = {WHISPERX: {}, OURS: {}}
    heard: dict[str, dict[str, Hypothesis]] = {WHISPERX: {}, OURS: {}}
    for number, recording in enumerate(recordings):
        contenders = {
            WHISPERX: partial(stock.call, Stock.hear, recording.media),
            OURS: partial(ours.call, Ours.hear, recording.media),
        }
        for name, found in in_turns(contenders, runs=runs, warm_up=number == 0):
            seconds[name].setdefault(recording.name, []).append(found.seconds)
            heard[name][recording.name] = found
    return seconds, heard


def _alone(recordings: Sequence[Recording], settings: PipelineSettings) -> dict[str, Hypothesis]:
    """Return what this pipeline makes of the recordings with the models that are here."""
    with OwnProcess(partial(Ours, settings)) as ours:
        return {each.name: ours.call(Ours.hear, each.media) for each in recordings}


def table(measured: Mapping[str, Any]) -> str:
    """Return the medians and the error rates as Markdown tables."""
    lines = [
        f"| recording | of it, s | {WHISPERX}, s | {OURS}, s | ratio |",
        "|---|---|---|---|---|",
    ]
    lengths = measured["media_seconds"]
    for name, length in (*lengths.items(), (ALL, sum(lengths.values()))):
        stock, ours = (_seconds(measured, contender, name) for contender in (WHISPERX, OURS))
        lines.append(
            f"| {name} | {length:.1f} | {statistics.median(stock):.2f} "
            f"| {statistics.median(ours):.2f} | {median_ratio(stock, ours):.1f} x |"
        )
    contenders = list(measured["accuracy"])
    lines += ["", f"| aligner: {measured['aligner']} | " + " | ".join(contenders) + " |"]
    lines.append("|---" * (1 + len(contenders)) + "|")
    for row in measured["accuracy"][contenders[-1]]:
        found = (measured["accuracy"][name].get(row) for name in contenders)
        cells = ("-" if value is None else f"{value:.2f}" for value in found)
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goals(measured: Mapping[str, Any]) -> list[Goal]:
    """Return how much faster it should be, and how little worse it may be."""
    stock, ours = measured["accuracy"][WHISPERX], measured["accuracy"][OURS]
    found = [
        Goal(
            what="transcription, word times and speakers, beside WhisperX",
            value=median_ratio(_seconds(measured, WHISPERX, ALL), _seconds(measured, OURS, ALL)),
            goal=TIMES_AS_FAST,
            unit="x",
        )
    ]
    for rate, points in (("word", WORD_POINTS), ("diarization", SPEAKER_POINTS)):
        row = f"{rate} error rate, %"
        found.append(
            Goal(
                what=f"{rate} error rate above WhisperX's",
                value=ours[row] - stock[row],
                goal=points,
                unit="points",
                sense="<=",
            )
        )
    return found


def _seconds(measured: Mapping[str, Any], contender: str, recording: str) -> list[float]:
    """Return each run's seconds, of one recording or of all together."""
    seconds: Mapping[str, list[float]] = measured["seconds"][contender]
    if recording == ALL:
        return [sum(run) for run in zip(*seconds.values(), strict=True)]
    return seconds[recording]
