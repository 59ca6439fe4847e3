"""Tell the launcher, over a pipe, how the jobs of this process get on.

One line a second: {"job_…": seconds without progress, …}. The pipe is the launcher's only way to
know, as a process that hangs in native code can tell nobody anything.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import TypeAdapter, ValidationError

from worker.activity import Activity

_TELL_SECONDS = 1.0
_MOST_BYTES = 1 << 16
_QUIET = TypeAdapter(dict[str, float])


@contextmanager
def watched(activity: Activity, pipe: int | None) -> Iterator[None]:
    """Be watched by the launcher, at the other end of a pipe, while the block runs.

    Args:
        activity: what is told.
        pipe: None: there is no launcher.
    """
    if pipe is None:
        yield
        return
    stop = threading.Event()
    os.set_blocking(pipe, False)
    os.set_inheritable(pipe, False)  # noqa: FBT003  # a decoder must not keep it open

    def tell() -> None:
        while True:
            line = json.dumps(activity.quiet_seconds()) + "\n"
            try:
                os.write(pipe, line.encode())
            except BlockingIOError:
                pass  # the launcher stands still; a later line says the same
            except BrokenPipeError:
                return  # it is gone, and this process was told to end
            if stop.wait(_TELL_SECONDS):
                return

    thread = threading.Thread(target=tell, name="watched", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Watch:
    """The launcher's end of the pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        os.set_blocking(pipe, False)
        self._rest = b""

    def hear(self) -> dict[str, float] | None:
        """Return the latest line; None: there is no new one."""
        try:
            heard = os.read(self._pipe, _MOST_BYTES)
        except BlockingIOError:
            return None
        *lines, self._rest = (self._rest + heard).split(b"\n")
        self._rest = self._rest[-_MOST_BYTES:]
        if not lines:
            return None
        try:
            return _QUIET.validate_json(lines[-1])
        except ValidationError:
            return None  # cut off; the next one is whole

    def close(self) -> None:
        """Hear no more."""
        os.close(self._pipe)
