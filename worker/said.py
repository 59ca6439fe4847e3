"""Pass on what a process writes to its standard error, and remember the end of it."""

import fcntl
import os
import sys
from collections import deque
from contextlib import suppress

_LINES = 10  # of a traceback, what names the error
_LINE_BYTES = 500
_MOST_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20  # Linux grants it to everybody; what comes in while this process stands still


class Said:
    """The launcher's end of a process' standard error.

    A pipe, read without waiting whenever the launcher looks at its children: it has no threads, as
    it forks. The process holds the reading end too, so that it is not punished with EPIPE for the
    lines that it writes once its launcher was killed.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        os.set_blocking(self._ours, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._rest = b""
        self._lines: deque[str] = deque(maxlen=_LINES)

    @property
    def descriptors(self) -> tuple[int, int]:
        """What the process is given: both ends."""
        return self._ours, self.theirs

    def hear(self) -> None:
        """Write to our own standard error what came in."""
        while True:
            try:
                heard = os.read(self._ours, _MOST_BYTES)
            except BlockingIOError:
                return
            if not heard:
                return
            with suppress(OSError):  # who read it is gone; that is no reason to end
                sys.stderr.buffer.write(heard)
                sys.stderr.buffer.flush()
            *lines, rest = (self._rest + heard).split(b"\n")
            self._rest = rest[-_LINE_BYTES:]
            self._lines.extend(_text(line) for line in lines if line.strip())

    def last_words(self) -> str:
        """Return the last lines."""
        return "\n".join([*self._lines, *([_text(self._rest)] if self._rest.strip() else [])])

    def close(self) -> None:
        """Hear no more."""
        os.close(self._ours)


def _text(line: bytes) -> str:
    return line[:_LINE_BYTES].decode(errors="replace").rstrip()
