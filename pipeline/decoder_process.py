"""Run the decoder (pipeline/decoder.py) in a process that may do nothing else.

It is a fresh Python, never a fork: a fork would share the GPU's state. It gets open files and
nothing else of ours: no path, no environment, no network.
"""

import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

import pipeline
from jobs.errors import CorruptMedia, OutOfMemory
from jobs.stages import Stage
from pipeline.clip import Clip
from pipeline.decoder_report import Facts, Outcome
from pipeline.progress import OnProgress
from pipeline.waveform import SAMPLE_RATE

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # how often progress is told, and a cancel noticed, while the child is silent
_LAST_SECONDS = 1.0  # from the end of the child's output to its own
LINE_BYTES = 1 << 16  # more without a line break is no report
# Appended to the child's path, so that it finds this package from any working directory and
# nothing of ours can stand in for a module of the standard library.
_START = "import sys; sys.path.append(sys.argv[1]); from pipeline.decoder import main; main()"
_ROOT = Path(pipeline.__file__ or "").resolve().parent.parent
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")  # what Python needs to start


class Report(BaseModel):
    """One line of the decoder."""

    model_config = ConfigDict(frozen=True, extra="allow")

    ready: bool = False
    fraction: float | None = None
    outcome: Outcome | None = None

    @property
    def facts(self) -> Facts:
        """What was found out; only the last report has it."""
        return Facts(**(self.model_extra or {}))


class DecoderProcess:
    """The decoder's process; leaving the context ends it, whatever happened."""

    def __init__(
        self,
        source: IO[bytes],
        targets: Sequence[IO[bytes]],
        *,
        clip: Clip,
        max_seconds: float,
        timeout_seconds: float,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [
                sys.executable,
                "-I",  # neither PYTHON* variables nor the working directory
                "-c",
                _START,
                str(_ROOT),
                str(source.fileno()),
                ",".join(str(target.fileno()) for target in targets),
                str(int(max_seconds * SAMPLE_RATE)),
                str(round(clip.start * SAMPLE_RATE)),
                str(round((clip.end or 0.0) * SAMPLE_RATE)),
                # The clock on the wall ends it first, unless this process is no longer there.
                str(int(timeout_seconds) + 10),
                str(os.getpid()),
            ],
            stdin=subprocess.PIPE,  # never written to: its end tells the child that we are gone
            stdout=subprocess.PIPE,
            stderr=self._words,
            pass_fds=[each.fileno() for each in (source, *targets)],
            # Threads of linear algebra would only claim address space.
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
            | {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> "DecoderProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def follow(self, on_progress: OnProgress) -> Report:
        """Read reports until the last one, and pass progress on.

        Raises:
            CorruptMedia: the child died of this file, or took longer than it may.
            OutOfMemory: the kernel killed it. What a hostile file wants beyond the child's own
                limit is not that: then it ends itself, and means an unreadable file.
            RuntimeError: the child did not even start.
        """
        deadline = time.monotonic() + self._timeout_seconds
        fraction, ready = 0.0, False
        for report in self._reports():
            if report is not None:
                ready = ready or report.ready
                fraction = max(fraction, report.fraction or 0.0)
                if report.outcome:
                    return report
            on_progress(Stage.DECODE, min(1.0, fraction))
            if time.monotonic() > deadline:
                log.info("decoding took too long", extra={"seconds": self._timeout_seconds})
                raise CorruptMedia(
                    f"the media could not be decoded within {self._timeout_seconds:g} seconds: "
                    "convert it to a common format such as FLAC or MP3 and send it again"
                )
        return self._died(ready=ready)

    def _reports(self) -> Iterator[Report | None]:
        """Yield each report as it comes, and None whenever there was none for a while."""
        stdout = self._process.stdout
        if stdout is None:  # never: it is a pipe
            return
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            pending = b""
            while True:
                if not selector.select(timeout=POLL_SECONDS):
                    yield None
                    continue
                block = os.read(stdout.fileno(), LINE_BYTES)
                *lines, pending = (pending + block).split(b"\n")
                try:
                    yield from map(Report.model_validate_json, lines)
                except ValidationError:
                    return
                if not block or len(pending) > LINE_BYTES:
                    return

    def _status(self) -> int | None:
        """Return how the child ended by itself; None: it had to be ended."""
        try:
            return self._process.wait(timeout=_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None

    def _died(self, *, ready: bool) -> Report:
        status = self._status()
        if status == -signal.SIGKILL:  # of its own limits none ends it so, and nobody else does
            msg = "the machine had no memory left for the decoder"
            raise OutOfMemory(msg)
        self._words.seek(0)
        words = self._words.read()[-2000:].decode("utf-8", "replace")
        if not ready:
            raise RuntimeError(f"the decoder did not start (status {status}): {words}")
        # A Python error (status 1) may be a fault of ours that this file brought to light.
        level = logging.WARNING if status == 1 else logging.INFO
        log.log(level, "the decoder died of a file", extra={"status": status, "output": words})
        raise CorruptMedia(
            "the media is so damaged that decoding it failed: convert it to a common format "
            "such as FLAC or MP3 and send it again"
        )
