"""Time each stage on the sample call, for WhisperX as it comes and for this pipeline.

Both have the same Whisper model, aligner and diarizer networks, each a process of its own, and take
turns. What WhisperX as it comes means is written in `benchmarks/stock.py`.
"""

import statistics
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.goals import Goal
from benchmarks.hypothesis import OURS, WHISPERX
from benchmarks.made_aligner import english_aligner
from benchmarks.own_process import OwnProcess
from benchmarks.stock import Stock
from benchmarks.stopwatch import Seconds, Stopwatch
from benchmarks.turns import in_turns, median_ratio
from deploy.local.sample import sample_call
from jobs.options import TranscriptionOptions
from pipeline.device import choose_device
from pipeline.progress import unheard
from pipeline.settings import PipelineSettings
from pipeline.speech import HeardWindow
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from pipeline.waveform import SAMPLE_RATE, Waveform

PARTS = ("voice activity", "text", "alignment", "speakers")  # what a job goes through
OWN_TIMES = "text and Whisper's own word times"  # instead of both, where there is no aligner
ALL = "**voice activity, text, alignment, speakers**"
GOALS = {"voice activity": 15.0, "alignment": 4.0, "speakers": 2.0}  # times as fast
_MOST_SECONDS = 3600.0  # of media, and of its decoding


class OurStages:
    """This pipeline's stages one by one."""

    def __init__(self, settings: PipelineSettings) -> None:
        phone_nobody()
        wait_passively()
        from pipeline.models import Models

        self._device = choose_device(settings)
        self._models = Models(settings, self._device)

    def stages(self, media: Path) -> Seconds:
        """Return how long each stage takes, gone through as `pipeline.run` does."""
        from pipeline.aligning import align
        from pipeline.language_detection import detect_language
        from pipeline.transcribing import transcribe
        from pipeline.voice_activity import find_speech
        from pipeline.windows import windows_of

        recognizer = self._models.whisper(self._device.default_model)
        aligner, diarizer = self._models.aligner("en"), self._models.diarizer()
        batch_size = self._device.batch_size
        waveform = _decoded(media)
        watch = Stopwatch()
        with watch.time("voice activity"):
            spans = find_speech(waveform)
            windows = windows_of(spans, media_seconds=len(waveform) / SAMPLE_RATE)

        def listen(*, with_times: bool) -> list[HeardWindow]:
            return transcribe(
                [waveform],
                windows,
                recognizer,
                TranscriptionOptions(),
                detect_language(waveform, windows, recognizer).code,
                batch_size=batch_size,
                with_times=with_times,
            )

        with watch.time("text"):
            heard = listen(with_times=False)
        with watch.time(OWN_TIMES):
            listen(with_times=True)
        with watch.time("alignment"):
            align(waveform, heard, aligner, batch_size=batch_size)
        with watch.time("speakers"):
            diarizer.diarize(
                waveform,
                num_speakers=None,
                min_speakers=None,
                max_speakers=None,
                with_embeddings=False,
                on_progress=unheard,
            )
        return watch.seconds


def _decoded(media: Path) -> Waveform:
    from pipeline.decoding import decode

    with tempfile.TemporaryDirectory() as directory:
        decoded = decode(
            media,
            Path(directory),
            max_seconds=_MOST_SECONDS,
            timeout_seconds=_MOST_SECONDS,
            on_progress=unheard,
        )
        return np.array(decoded.waveform)  # beyond the folder's life


def measure(*, runs: int = 5, quick: bool = False) -> dict[str, Any]:
    """Return the seconds of every run, by contender and stage."""
    media = sample_call()
    settings = PipelineSettings(device="cpu")
    seconds: dict[str, dict[str, list[float]]] = {WHISPERX: {}, OURS: {}}
    model = choose_device(settings).default_model
    with (
        english_aligner(settings) as aligner,
        OwnProcess(partial(Stock, settings, model, aligner.folder)) as stock,
        OwnProcess(partial(OurStages, aligner.settings)) as ours,
    ):
        contenders = {
            WHISPERX: partial(stock.call, Stock.stages, media),
            OURS: partial(ours.call, OurStages.stages, media),
        }
        for name, stages in in_turns(contenders, runs=1 if quick else runs):
            for stage, taken in stages.items():
                seconds[name].setdefault(stage, []).append(taken)
    return {"media": media.name, "seconds": seconds}


def table(measured: Mapping[str, Any]) -> str:
    """Return medians as a Markdown table."""
    stock, ours = (_with_sums(measured["seconds"][name]) for name in (WHISPERX, OURS))
    lines = [f"| stage | {WHISPERX}, s | {OURS}, s | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {row} | {statistics.median(stock[row]):.2f} | {statistics.median(ours[row]):.2f} "
        f"| {median_ratio(stock[row], ours[row]):.1f} x |"
        for row in (*PARTS, OWN_TIMES, ALL)
    ]
    return "\n".join(lines)


def goals(measured: Mapping[str, Any]) -> list[Goal]:
    """Return how much faster which stage should be."""
    stock, ours = measured["seconds"][WHISPERX], measured["seconds"][OURS]
    return [
        Goal(
            what=f"{stage}, beside {WHISPERX}",
            value=median_ratio(stock[stage], ours[stage]),
            goal=goal,
            unit="x",
        )
        for stage, goal in GOALS.items()
    ]


def _with_sums(seconds: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Add each run's sum, and what WhisperX has for its text with times: both of its stages."""
    sums = {ALL: [sum(run) for run in zip(*(seconds[part] for part in PARTS), strict=True)]}
    if OWN_TIMES not in seconds:
        both = zip(seconds["text"], seconds["alignment"], strict=True)
        sums[OWN_TIMES] = [sum(run) for run in both]
    return {**seconds, **sums}
