import os
import signal
import subprocess
import sys
from pathlib import Path

from worker.work_folder import work_folder

HOLD = """
import sys, time
from pathlib import Path
from worker.work_folder import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "media").write_bytes(b"a recording")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_folder_is_for_its_user_alone_and_goes_with_its_worker(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_worker_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        folder = Path(worker.stdout.readline().strip())
        with work_folder(tmp_path):
            assert (folder / "media").exists()
        os.kill(worker.pid, signal.SIGKILL)

    with work_folder(tmp_path):
        assert not folder.exists()
