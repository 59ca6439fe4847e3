"""Time short clips through one pipeline, one at a time and several at once.

Both ways take turns, over the same clips: cut at random, but the same in every run, out of the
recordings of speech in a folder. Every transcript is compared with that of the first time.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from deploy.local.sample import sample_call
from jobs.options import TranscriptionOptions
from pipeline.decoding import decode
from pipeline.pipeline import Pipeline
from pipeline.progress import unheard
from pipeline.settings import PipelineSettings
from pipeline.waveform import SAMPLE_RATE, Waveform
from transcript.transcript import Transcript

SECONDS = (3.0, 10.0)  # a clip's shortest and longest
SUFFIXES = (".flac", ".mp3", ".wav")
ELSEWHERE = ("malformed", "nonspeech")  # folders in which nobody speaks


def waveforms(folder: Path | None) -> list[Waveform]:
    """Decode all speech in a folder that is long enough for any clip; None: the sample call."""
    media = [sample_call()]
    if folder is not None:
        media = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix in SUFFIXES and path.parent.name not in ELSEWHERE
        )
    found = []
    for path in media:
        with tempfile.TemporaryDirectory() as directory:
            decoded = decode(
                path,
                Path(directory),
                max_seconds=3600,
                timeout_seconds=600,
                on_progress=unheard,
            )
            found.append(np.array(decoded.waveform))
    return [each for each in found if len(each) > SECONDS[1] * SAMPLE_RATE]


def cut(sources: Sequence[Waveform], folder: Path, *, count: int) -> list[Path]:
    """Write clips as WAV files."""
    random = np.random.default_rng(0)
    clips = []
    for number in range(count):
        source = sources[number % len(sources)]
        length = int(random.uniform(*SECONDS) * SAMPLE_RATE)
        start = int(random.integers(0, len(source) - length))
        samples = np.clip(source[start : start + length] * 32768, -32768, 32767).astype("<i2")
        clips.append(folder / f"clip-{number:03d}.wav")
        with wave.open(str(clips[-1]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.tobytes())
    return clips


def transcribed(
    pipeline: Pipeline, clips: Sequence[Path], options: TranscriptionOptions, *, at_once: int
) -> tuple[float, float, list[Transcript]]:
    """Return the seconds it took, the process' seconds of CPU time, and the transcripts."""
    began, computed = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(lambda clip: pipeline.run(clip, options), clips))
    return time.perf_counter() - began, time.process_time() - computed, found


def main() -> int:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--batch-size", type=int, help="windows in one pass; default: the device's")
    parser.add_argument("--language", help="default: detected")
    parser.add_argument("--diarize", action="store_true")
    parser.add_argument("--audio", type=Path, help="folder of speech; default: the sample call")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of the libraries
    pipeline = Pipeline(PipelineSettings(batch_size=arguments.batch_size))
    options = TranscriptionOptions(diarize=arguments.diarize, language=arguments.language)
    ways = {"one at a time": 1, f"{arguments.at_once} at once": arguments.at_once}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    computed: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as directory:
        clips = cut(waveforms(arguments.audio), Path(directory), count=arguments.clips)
        _, _, expected = transcribed(pipeline, clips, options, at_once=1)  # warms up, uncounted
        different = 0
        for _ in range(arguments.runs):
            for way, at_once in ways.items():
                took, cpu, found = transcribed(pipeline, clips, options, at_once=at_once)
                seconds[way].append(took)
                computed[way].append(cpu)
                different += sum(a != b for a, b in zip(expected, found, strict=True))
    sys.stdout.write(f"{_setting(arguments, pipeline)}\n\n{table(seconds, computed)}\n\n")
    total = len(expected) * arguments.runs * len(ways)
    sys.stdout.write(f"{different} of {total} transcripts differ from the first run's.\n")
    return 0


def table(seconds: dict[str, list[float]], computed: dict[str, list[float]]) -> str:
    """Return the medians as a Markdown table; the ratio is that of the medians."""
    lines = ["| | s | CPU time of the process, s |", "|---|---|---|"]
    lines += [
        f"| {way} | {statistics.median(took):.1f} | {statistics.median(computed[way]):.1f} |"
        for way, took in seconds.items()
    ]
    alone, together = (statistics.median(took) for took in seconds.values())
    runs = " ".join(f"{a / b:.2f}" for a, b in zip(*seconds.values(), strict=True))
    return "\n".join([*lines, f"| ratio (run by run: {runs}) | {alone / together:.2f} | |"])


def _setting(arguments: argparse.Namespace, pipeline: Pipeline) -> str:
    """Say what was measured where."""
    commit = subprocess.run(
        ["/usr/bin/env", "git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    device = pipeline.device
    return (
        f"`python -m benchmarks.sharing --runs {arguments.runs} --at-once {arguments.at_once}` at "
        f"{commit}, medians, {arguments.clips} clips of {SECONDS[0]:g}-{SECONDS[1]:g} s, "
        f"{device.default_model} in {device.compute_type} on {device.name}, batches of "
        f"{device.batch_size}, language {arguments.language or 'detected'}, speakers "
        f"{'told apart' if arguments.diarize else 'not told apart'}, "
        f"{platform.machine()}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
