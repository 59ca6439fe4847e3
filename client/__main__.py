"""The command line: `whisperline transcribe talk.mp3 -f srt,vtt`."""

import os
import sys
from contextlib import suppress
from typing import NoReturn

from client import exit_codes


def main() -> NoReturn:
    """Run the command line and end the process."""
    try:
        from client.app import app  # here: Ctrl-C while it loads must be no traceback either

        app()
    except SystemExit as ending:
        leave(ending.code if isinstance(ending.code, int) else int(bool(ending.code)))
    except KeyboardInterrupt:
        leave(exit_codes.INTERRUPTED)
    leave(0)


def leave(code: int) -> NoReturn:
    """End the process, whatever its threads are doing.

    The interpreter would wait for each of them: for an upload that has an hour to go, or an
    answer that is held for a minute. Nothing is lost: what counts is on the disk, and every file
    is either whole or not there.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
