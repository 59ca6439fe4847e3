"""Time each stage on the sample call, for WhisperX as it comes and for this pipeline, in one run.

Both use the same weights, sound and threads and take turns. WhisperX's own diarizer and aligner
need weights that a token or a hub must give, so its diarizer here is pyannote's pipeline, as its
authors wrote it, over the weights bundled here, and its aligner has the right architecture with
random weights: as fast as the real one, right about nothing.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.stock import Stock
from deploy.local.sample import sample_call
from jobs.options import TranscriptionOptions
from pipeline.decoding import decode
from pipeline.device import choose_device
from pipeline.language_detection import detect_language
from pipeline.models import Models
from pipeline.progress import unheard
from pipeline.settings import PipelineSettings
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from pipeline.transcribing import transcribe
from pipeline.voice_activity import find_speech
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.windows import windows_of

Seconds = dict[str, list[float]]  # by stage, one entry a run
TEXT, TIMED = "language + text", "language + text + word times"
STAGES = ("voice activity", TEXT, TIMED, "speakers")
PARTS = ("voice activity", TIMED, "speakers")  # what a job goes through


class Stopwatch:
    """Collects how long stages took."""

    def __init__(self) -> None:
        self.seconds: Seconds = defaultdict(list)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        yield
        self.seconds[stage].append(time.perf_counter() - began)


def run_ours(
    waveform: Waveform, models: Models, settings: PipelineSettings, watch: Stopwatch
) -> None:
    """Go through the stages as `pipeline.run` does."""
    device = choose_device(settings)
    recognizer = models.whisper(device.default_model)
    with watch.time("voice activity"):
        spans = find_speech(waveform)
        windows = windows_of(spans, media_seconds=len(waveform) / SAMPLE_RATE)
    # Word times come out of the same pass as the text; both are timed to show what they add.
    for stage, with_times in ((TEXT, False), (TIMED, True)):
        with watch.time(stage):
            language = detect_language(waveform, windows, recognizer).code
            transcribe(
                [waveform],
                windows,
                recognizer,
                TranscriptionOptions(),
                language,
                batch_size=device.batch_size,
                with_times=with_times,
            )
    with watch.time("speakers"):
        models.bundled_diarizer().diarize(
            waveform,
            num_speakers=None,
            min_speakers=None,
            max_speakers=None,
            with_embeddings=False,
            on_progress=unheard,
        )


def run_stock(waveform: Waveform, stock: Stock, watch: Stopwatch) -> None:
    """Go through the stages as WhisperX's own command does."""
    with watch.time("voice activity"):
        stock.find_speech(waveform)
    with watch.time(TEXT):
        heard = stock.transcribe(waveform)
    # WhisperX does both in one call; what its voice activity detection takes is counted above.
    watch.seconds[TEXT][-1] -= watch.seconds["voice activity"][-1]
    with watch.time(TIMED):
        stock.align(heard, waveform)
    watch.seconds[TIMED][-1] += watch.seconds[TEXT][-1]
    with watch.time("speakers"):
        stock.diarize(waveform)


def table(ours: Seconds, stock: Seconds) -> str:
    """Return the medians as a Markdown table."""
    lines = ["| stage | WhisperX as it comes, s | this pipeline, s | ratio |", "|---|---|---|---|"]
    for stage in STAGES:
        theirs, own = statistics.median(stock[stage]), statistics.median(ours[stage])
        lines.append(f"| {stage} | {theirs:.2f} | {own:.2f} | {theirs / own:.1f} x |")
    theirs, own = (sum(statistics.median(each[s]) for s in PARTS) for each in (stock, ours))
    lines.append(f"| **a job** | {theirs:.2f} | {own:.2f} | {theirs / own:.1f} x |")
    return "\n".join(lines)


def main() -> int:
    """Run, and print a table; `--json` also writes every single time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--media", type=Path, default=sample_call())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    phone_nobody()
    wait_passively()  # for both
    warnings.simplefilter("ignore")  # of the libraries measured
    settings = PipelineSettings(device="cpu")
    models = Models(settings, choose_device(settings))
    stock = Stock(settings)
    ours, theirs = Stopwatch(), Stopwatch()
    with tempfile.TemporaryDirectory() as directory:
        waveform = np.array(
            decode(
                arguments.media,
                Path(directory),
                max_seconds=3600,
                timeout_seconds=600,
                on_progress=unheard,
            ).waveform
        )
    run_ours(waveform, models, settings, Stopwatch())  # warm both up, uncounted
    run_stock(waveform, stock, Stopwatch())
    for _ in range(arguments.runs):
        run_ours(waveform, models, settings, ours)
        run_stock(waveform, stock, theirs)
    sys.stdout.write(f"{_setting(arguments)}\n\n{table(ours.seconds, theirs.seconds)}\n")
    if arguments.json:
        found = {"ours": ours.seconds, "stock": theirs.seconds}
        arguments.json.write_text(json.dumps(found, indent=2))
    return 0


def _setting(arguments: argparse.Namespace) -> str:
    """Say what was measured where."""
    commit = subprocess.run(
        ["/usr/bin/env", "git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return (
        f"`python -m benchmarks.stages --runs {arguments.runs}` at {commit}, medians, "
        f"{arguments.media.name}, {platform.machine()}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
