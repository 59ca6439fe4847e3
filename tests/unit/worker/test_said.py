import os
import subprocess
import sys

import pytest

from worker.said import Said


def test_what_a_process_writes_is_passed_on_and_its_end_remembered(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    said = Said()
    program = "import sys; [print('line', n, file=sys.stderr) for n in range(20)]\n"
    program += "sys.stderr.write('its end')"
    subprocess.run([sys.executable, "-c", program], check=True, stderr=said.theirs)

    said.hear()

    assert said.last_words().splitlines() == [f"line {n}" for n in range(10, 20)] + ["its end"]
    assert capfdbinary.readouterr().err.startswith(b"line 0\nline 1\n")
    os.close(said.theirs)
    said.hear()  # nobody speaks any more
    said.close()


def test_a_process_may_go_on_writing_when_its_launcher_is_gone() -> None:
    said = Said()
    program = "import os, sys; sys.stdin.read(); os.write(2, b'handed back'); sys.exit(0)"
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stderr=said.theirs,
        pass_fds=said.descriptors,
    )
    os.close(said.theirs)
    said.close()

    child.communicate(timeout=30)

    assert child.returncode == 0
