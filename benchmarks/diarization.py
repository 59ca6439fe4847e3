"""Errors and seconds of the bundled diarizer, beside pyannote's pipeline as it comes.

Both use the same weights, sound and threads and take turns: on the sample call several times, on
each other recording once. Errors are diarization error rates, collar 0, overlap included.
"""

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.splices import Spoken, read_rttm, splices, voices
from benchmarks.stock import stock_diarizer
from deploy.local.sample import sample_call
from pipeline.decoding import decode
from pipeline.device import choose_device
from pipeline.models import Models
from pipeline.progress import unheard
from pipeline.settings import PipelineSettings
from pipeline.speech import Turn
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from pipeline.waveform import SAMPLE_RATE, Waveform

Diarize = Callable[[Waveform], Iterable[Turn]]


def error_rate(reference: Iterable[Turn], found: Iterable[Turn]) -> float:
    """Return the share of speech that is missed, invented or somebody else's, in percent."""
    from pyannote.core import Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    said, heard = _annotation(reference), _annotation(found)
    extent = said.get_timeline().extent() | heard.get_timeline().extent()
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    return 100 * float(metric(said, heard, uem=Timeline([extent])))


def compare(spoken: Spoken, ours: Diarize, stock: Diarize, *, runs: int) -> str:
    """Let both take turns; returns a row of the table."""
    seconds: dict[Diarize, list[float]] = {ours: [], stock: []}
    errors = {}
    for _ in range(runs):
        for diarize in (stock, ours):
            began = time.perf_counter()
            found = list(diarize(spoken.waveform))
            seconds[diarize].append(time.perf_counter() - began)
            errors[diarize] = error_rate(spoken.turns, found)
    theirs, own = (statistics.median(seconds[each]) for each in (stock, ours))
    return (
        f"| {spoken.name} | {errors[stock]:.1f} | {errors[ours]:.1f} "
        f"| {theirs:.2f} | {own:.2f} | {theirs / own:.1f} x |"
    )


def main() -> int:
    """Run, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diarization", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="on the sample call")
    parser.add_argument("--references", type=Path, help="a folder of media with .rttm beside it")
    parser.add_argument("--voices", type=Path, nargs="*", default=[], help="media of one speaker")
    parser.add_argument("--splices", type=int, default=6, help="of short turns of those voices")
    parser.add_argument("--first", type=int, default=0, help="seed of the splices")
    arguments = parser.parse_args()
    phone_nobody()
    wait_passively()  # for both
    warnings.simplefilter("ignore")  # of the libraries measured
    settings = PipelineSettings(device="cpu")
    ours, stock = _ours(settings), _stock(settings)
    call = _spoken(sample_call(), sample_call().with_suffix(".rttm"))
    others = [_spoken(*pair) for pair in _pairs(arguments.references)]
    alone = [_whole(path) for path in arguments.voices]
    spliced = splices(
        voices([call, *others, *alone]), count=arguments.splices, first=arguments.first
    )
    ours(call.waveform), stock(call.waveform)  # warm both up, uncounted
    _say("| recording | error, pyannote, % | error, ours, % | pyannote, s | ours, s | ratio |")
    _say("|---|---|---|---|---|---|")
    _say(compare(call, ours, stock, runs=arguments.runs))
    for spoken in (*others, *spliced):
        _say(compare(spoken, ours, stock, runs=1))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ours(settings: PipelineSettings) -> Diarize:
    diarizer = Models(settings, choose_device(settings)).bundled_diarizer()

    def diarize(waveform: Waveform) -> Iterable[Turn]:
        return diarizer.diarize(
            waveform,
            num_speakers=None,
            min_speakers=None,
            max_speakers=None,
            with_embeddings=False,
            on_progress=unheard,
        ).turns

    return diarize


def _stock(settings: PipelineSettings) -> Diarize:
    import torch

    pipeline = stock_diarizer(settings)

    def diarize(waveform: Waveform) -> Iterable[Turn]:
        file = {"waveform": torch.from_numpy(waveform)[None], "sample_rate": SAMPLE_RATE}
        found = pipeline(file).speaker_diarization
        return [
            Turn(start=segment.start, end=segment.end, speaker=str(label))
            for segment, _, label in found.itertracks(yield_label=True)
        ]

    return diarize


def _annotation(turns: Iterable[Turn]) -> Any:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for number, turn in enumerate(turns):
        annotation[Segment(turn.start, turn.end), number] = turn.speaker
    return annotation


def _pairs(folder: Path | None) -> list[tuple[Path, Path]]:
    """Find `talk.flac` and its references, `talk.flac.rttm` and `talk.flac.anything.rttm`."""
    return [
        (media, rttm)
        for rttm in sorted(folder.rglob("*.rttm") if folder else ())
        for media in rttm.parent.iterdir()
        if media.suffix != ".rttm"
        and rttm.name.startswith(f"{media.name}.")
        and media.suffix not in {".stm", ".txt", ".json"}
    ]


def _spoken(media: Path, rttm: Path) -> Spoken:
    return Spoken(name=rttm.stem, waveform=_decoded(media), turns=read_rttm(rttm))


def _whole(media: Path) -> Spoken:
    waveform = _decoded(media)
    turn = Turn(start=0.0, end=len(waveform) / SAMPLE_RATE, speaker="")
    return Spoken(name=media.stem, waveform=waveform, turns=(turn,))


def _decoded(media: Path) -> Waveform:
    with tempfile.TemporaryDirectory() as directory:
        decoded = decode(
            media, Path(directory), max_seconds=3600, timeout_seconds=600, on_progress=unheard
        )
        return np.array(decoded.waveform)


if __name__ == "__main__":
    sys.exit(main())
