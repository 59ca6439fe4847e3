"""The command line: `whisperline transcribe talk.mp3 -f srt,vtt`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from client.service import Service, ServiceRefused, ServiceUnreachable

# What scripts can tell apart.
EXIT_FAILED = 1  # a job failed
EXIT_REFUSED = 2  # the request is at fault; 2 is also what the shell's own usage errors give
EXIT_UNREACHABLE = 3  # no service at the address

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
output = Console()
status = Console(stderr=True)


@app.callback()
def whisperline() -> None:
    """Transcribe speech with a Whisperline service."""


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Media files.")],
    *,
    url: Annotated[str, typer.Option(envvar="WHISPERLINE_URL")] = "http://127.0.0.1:9000",
    api_key: Annotated[str | None, typer.Option(envvar="WHISPERLINE_API_KEY")] = None,
    formats: Annotated[
        str, typer.Option("--formats", "-f", help="Comma-separated: srt,vtt,json,txt,tsv")
    ] = "srt",
    output_dir: Annotated[Path, typer.Option("--output-dir", "-o")] = Path(),
    model: Annotated[str, typer.Option(help="A Whisper model; empty: the service's own")] = "",
    language: Annotated[str, typer.Option(help="A code; empty: detected")] = "",
    diarize: Annotated[bool, typer.Option(help="Tell the speakers apart")] = True,
) -> None:
    """Upload each file, follow its job, write its transcripts and print what was said."""
    options = {"model": model, "language": language, "diarize": str(diarize).lower()}
    try:
        with Service(url, api_key=api_key) as service:
            done = [
                _transcribe_one(service, media, options, formats, output_dir) for media in files
            ]
    except ServiceRefused as error:
        status.print(f"refused, {error}", style="red", markup=False)
        raise typer.Exit(EXIT_REFUSED) from error
    except ServiceUnreachable as error:
        status.print(str(error), style="red", markup=False)
        raise typer.Exit(EXIT_UNREACHABLE) from error
    if not all(done):
        raise typer.Exit(EXIT_FAILED)


def _transcribe_one(
    service: Service, media: Path, options: dict[str, str], formats: str, output_dir: Path
) -> bool:
    """Return whether the job succeeded; its transcripts are then on disk."""
    job = _follow(service, media, options)
    if job["status"] != "succeeded":
        failure = job["error"] or {"code": job["status"], "message": ""}
        status.print(
            f"{media.name}: {failure['code']}: {failure['message']}", style="red", markup=False
        )
        return False
    output.print(service.transcript(job["id"], "txt"), markup=False, highlight=False)
    for warning in job["warnings"]:
        status.print(f"{warning['code']}: {warning['message']}", style="yellow", markup=False)
    output_dir.mkdir(parents=True, exist_ok=True)
    for form in filter(None, (name.strip() for name in formats.split(","))):
        written = output_dir / f"{media.stem}.{form}"
        written.write_text(service.transcript(job["id"], form), encoding="utf-8")
        status.print(Text(f"{form}: {written}"))
    return True


def _follow(service: Service, media: Path, options: dict[str, str]) -> dict[str, Any]:
    """Upload a file and show its job until it is over."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=status) as progress:
        bar = progress.add_task(f"{media.name}: upload", total=1.0)
        job = service.submit(media, options)
        for seen in service.follow(job["id"]):
            _show(progress, bar, media, seen)
            job = seen
    return job


def _show(progress: Progress, bar: TaskID, media: Path, job: dict[str, Any]) -> None:
    step = job["stage"] or job["status"]
    if job["queue_position"] is not None:
        step = f"queued, {job['queue_position']} before it"
    progress.update(bar, completed=job["progress"], description=f"{media.name}: {step}")
    if not status.is_terminal:  # a log gets lines instead of a moving bar
        status.print(f"{media.name}: {step} {job['progress']:.0%}", markup=False)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
