"""Keep media in work where a crash cannot leave it behind for good."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "whisperline-worker-"
_LOCK = "lock"

log = logging.getLogger(__name__)


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Make a folder for this process, readable by its user alone, and remove those of dead ones.

    The kernel frees the lock of a process that was killed, so its folder, with the media of the
    jobs it had in work, is found by the next worker that starts on the machine.
    """
    for found in parent.glob(f"{_PREFIX}*"):
        _remove_if_dead(found)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    with FileLock(folder / _LOCK):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(folder: Path) -> None:
    try:
        with FileLock(folder / _LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
            log.info("removed what a dead worker left: %s", folder.name)
    except Timeout:
        return  # its worker lives
    except OSError as error:
        log.warning("cannot look into %s: %s", folder, error)  # another user's
