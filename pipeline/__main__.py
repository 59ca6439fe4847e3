"""Transcribe a file without the service, or fetch models.

python -m pipeline talk.mp3 --format srt
python -m pipeline pull tiny.en base
"""

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from jobs.errors import ServiceError
from jobs.options import Channels, Task, TranscriptionOptions
from jobs.stages import Stage
from pipeline.device import DeviceMissing
from pipeline.settings import PipelineSettings
from transcript.renderings import RENDERINGS, render

console = Console(stderr=True)


def transcribe(arguments: argparse.Namespace) -> bytes:
    """Return the transcript of one file, rendered.

    Raises:
        ServiceError: it cannot be had; the message says why.
        ValidationError: an option is at fault.
    """
    from pipeline.pipeline import Pipeline

    options = TranscriptionOptions(
        model=arguments.model,
        language=arguments.language,
        task=arguments.task,
        initial_prompt=arguments.initial_prompt,
        hotwords=arguments.hotwords,
        diarize=arguments.diarize,
        num_speakers=arguments.num_speakers,
        min_speakers=arguments.min_speakers,
        max_speakers=arguments.max_speakers,
        channels=arguments.channels,
        clip_start=arguments.clip_start,
        clip_end=arguments.clip_end,
        temperature=arguments.temperature,
    )
    pipeline = Pipeline(PipelineSettings())
    with _bar() as progress:
        bar = progress.add_task("loading models", total=1.0)

        def on_progress(stage: Stage, fraction: float) -> None:
            progress.update(bar, completed=fraction, description=str(stage))

        transcript = pipeline.run(arguments.media, options, on_progress)
    for warning in transcript.warnings:
        console.print(f"{warning.code}: {warning.message}", style="yellow", markup=False)
    if options.task is Task.DETECT_LANGUAGE:
        console.print(f"language: {transcript.language or 'nobody speaks'}")
    return render(transcript, arguments.format)


def pull_models(names: list[str]) -> None:
    """Fetch and verify models into CACHE_DIR.

    Raises:
        ServiceError: one is unknown or cannot be had.
    """
    from pipeline.pull import pull

    settings = PipelineSettings()
    with _bar() as progress:
        for name in names:
            bar = progress.add_task(f"pull {name}", total=1.0)
            path = pull(name, settings, _moves(progress, bar))
            progress.update(bar, completed=1.0)
            console.print(f"{name}: {path}", markup=False, highlight=False)


def _moves(progress: Progress, bar: TaskID) -> Callable[[float], None]:
    return lambda fraction: progress.update(bar, completed=fraction)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline", description="Speech in, speaker-labelled text out."
    )
    parser.add_argument("media", type=Path, help="any audio or video file")
    # What is no text would spoil a terminal, and needs libraries that only the API has.
    formats = tuple(name for name, rendering in RENDERINGS.items() if rendering.is_text)
    parser.add_argument("--format", choices=formats, default="txt")
    parser.add_argument("--output", type=Path, help="a file; without it, standard output")
    parser.add_argument("--model", help="a Whisper model, such as base or large-v3")
    parser.add_argument("--language", help="a code, such as de; without it, detected")
    parser.add_argument("--task", choices=tuple(Task), default=Task.TRANSCRIBE)
    parser.add_argument("--initial-prompt")
    parser.add_argument("--hotwords", help="words to expect")
    parser.add_argument("--no-diarize", dest="diarize", action="store_false")
    for bound in ("num", "min", "max"):
        parser.add_argument(f"--{bound}-speakers", type=int)
    parser.add_argument(
        "--channels",
        choices=tuple(Channels),
        default=Channels.MIX,
        help="separate: each channel is a speaker of its own",
    )
    parser.add_argument("--clip-start", type=float, help="seconds; what is before is left out")
    parser.add_argument("--clip-end", type=float, help="seconds; what is after is left out")
    parser.add_argument(
        "--temperature", type=float, default=0.0, help="0 to 1, of the first try; 0: beam search"
    )
    return parser


def main() -> int:
    """Read the command line; returns the exit status."""
    logging.basicConfig(level=logging.WARNING)
    try:
        if sys.argv[1:2] == ["pull"]:
            pull_models(sys.argv[2:])
            return 0
        arguments = _parser().parse_args()
        if not arguments.media.is_file():
            console.print(f"no such file: {arguments.media}", style="red", markup=False)
            return 2
        if arguments.output and not arguments.output.parent.is_dir():  # before the long part
            console.print(f"no such folder: {arguments.output.parent}", style="red", markup=False)
            return 2
        content = transcribe(arguments)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            name = "_".join(str(part) for part in fault["loc"]) or "options"
            reason = fault["msg"].removeprefix("Value error, ")
            console.print(f"{name}: {reason}", style="red", markup=False)
        return 2
    except (ServiceError, DeviceMissing) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if arguments.output:
        arguments.output.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
