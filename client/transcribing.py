"""Upload files and wait for what was said: `whisperline transcribe talk.mp3 -f srt,vtt`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from client import exit_codes
from client.collecting import write_transcripts
from client.connection import Connection
from client.errors import ServiceRefused
from client.formats import FormatsOption, formats_in
from client.job import Job
from client.job_options import JobOptions
from client.output_names import OutputNames
from client.plan import planned
from client.printable import in_one_line
from client.refusals import holds_for_all
from client.screen import Screen
from client.service import Service
from client.submission import Submission

PATIENCE_SECONDS = 60.0  # once the service has answered: a restart
_WAIT_SECONDS = 1.0  # how long one poll is held when nothing changes; keeps a progress bar moving


def transcribe(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, readable=True, metavar="FILE...", help="Media."
        ),
    ],
    connection: Connection,
    options: JobOptions,
    *,
    formats: Annotated[str, FormatsOption] = "srt",
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="FOLDER", help="Where the transcripts go.")
    ] = Path(),
) -> None:
    """Upload each file, follow its job, write its transcripts and print what was said."""
    connection = connection.over(context.obj)
    screen = connection.screen()
    wanted, asked = formats_in(formats), options.chosen()
    names = OutputNames(output_dir, kept=())
    with connection.connect(screen, patience_seconds=PATIENCE_SECONDS) as service:
        one = _Transcription(service=service, screen=screen, options=asked, formats=wanted)
        codes = []
        for item in planned([str(path) for path in files], {}, output_dir=output_dir):
            name = names.name_of(item.relative, is_alone=item.is_alone, path=item.path)
            codes.append(one.perform(item.path or Path(), output_dir / name))
    if any(codes):
        raise typer.Exit(max(codes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transcription:
    """How to get the transcripts of a file."""

    service: Service
    screen: Screen
    options: Mapping[str, Any]
    formats: Sequence[str]

    def perform(self, media: Path, target: Path) -> int:
        """Return the exit code that one file comes to; with 0, its transcripts are on disk."""
        try:
            job = self._followed(media)
        except ServiceRefused as error:
            if holds_for_all(error):
                raise
            return self._failed(media, f"refused, {error}", exit_codes.REFUSED)
        if not job.has_succeeded:
            return self._failed(media, job.trouble, exit_codes.FAILED, job=job)
        self.screen.text(self.service.transcript(job.id, "txt").decode().rstrip("\n"))
        for warning in job.warnings:
            self.screen.warn(f"{warning.code}: {warning.message}")
        written = write_transcripts(self.service, job.id, self.formats, target)
        outputs = dict(zip(self.formats, map(str, written), strict=True))
        for form, path in outputs.items():
            self.screen.remark(f"{form}: {path}")
        self._tell(media, job, outputs=outputs)
        return 0

    def _failed(self, media: Path, reason: str, code: int, *, job: Job | None = None) -> int:
        self.screen.complain(f"{media.name}: {reason}")
        self._tell(media, job, error=reason)
        return code

    def _tell(self, media: Path, job: Job | None, **more: object) -> None:
        shown = job.shown() if job is not None else {}
        self.screen.value({"path": str(media), "outputs": {}, **shown, **more})

    def _followed(self, media: Path) -> Job:
        """Upload a file and show its job until it is over."""
        with _shown(self.screen, media) as show:
            job = self.service.submit(
                Submission(path=media, options=self.options, on_bytes=show.count)
            )
            try:
                for seen in self.service.follow(job.id, wait_seconds=_WAIT_SECONDS):
                    show.job(seen)
                    job = seen
            except KeyboardInterrupt:
                self.screen.warn(
                    f"{job.id} goes on at the service: `whisperline get {job.id}` fetches its "
                    f"transcript, `whisperline cancel {job.id}` withdraws it"
                )
                raise
        return job


class _Shown:
    """A bar on a terminal, and a line for each step elsewhere."""

    def __init__(self, screen: Screen, media: Path, progress: Progress) -> None:
        self._screen = screen
        self._name = in_one_line(media.name)
        self._progress = progress
        self._size = max(1, media.stat().st_size)
        self._sent = 0
        self._said = ""
        self._bar: TaskID = progress.add_task(f"{self._name}: upload", total=1.0)

    def count(self, count: int) -> None:
        """Show how much is uploaded."""
        self._sent += count
        share = min(1.0, self._sent / self._size)
        self._progress.update(self._bar, completed=share)

    def job(self, job: Job) -> None:
        """Show how the job stands."""
        step = f"{self._name}: {job.step}"
        self._progress.update(self._bar, completed=job.progress, description=step)
        if not self._screen.is_live and step != self._said:  # a log gets lines
            self._screen.remark(step)
            self._said = step


@contextmanager
def _shown(screen: Screen, media: Path) -> Iterator[_Shown]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen.errors, disable=not screen.is_live) as progress:
        yield _Shown(screen, media, progress)
