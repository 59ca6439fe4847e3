"""What the command line says before it speaks to anybody."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from client.app import app
from client.job_options import JobOptions


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(each) for each in arguments])
    return done.exit_code, done.stdout, done.stderr


COMMANDS = (
    *("transcribe", "submit", "status", "wait", "get", "cancel", "queue", "workers"),
    *("batch", "watch", "keys"),
)


def test_help_names_every_command_and_the_exit_codes() -> None:
    code, said, _ = run("--help")

    assert code == 0
    assert all(command in said for command in COMMANDS)
    assert "130 interrupted" in " ".join(said.split())
    assert "\x1b" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_without_cut_names(command: str) -> None:
    code, said, _ = run(command, "--help")

    assert code == 0
    assert all(not word.endswith("…") for word in said.split() if word.startswith("--"))


def test_the_version_is_told() -> None:
    code, said, _ = run("--version")

    assert code == 0
    assert said.startswith("whisperline ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("transcribe",),
        ("transcribe", "missing.mp3"),
        ("transcribe", __file__, "-f", "doc"),
        ("batch", "missing", "-o", "out"),
        ("batch", "."),
        ("watch", "missing", "-o", "out"),
        ("submit", "."),
        ("submit", __file__, "--metadata", "[1]"),
        ("submit", __file__, "--task", "sing"),
        ("get", "a", "-f", "srt,vtt"),
        ("get", "../queue"),
        ("status", ".."),
        ("queue", "--url", "nonsense"),
        ("queue", "--api-key-file", "missing"),
    ],
)
def test_misuse_is_one_exit_code_and_a_message(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said, told = run(*arguments)

    assert code == 2
    assert said == ""
    assert told.strip()
    assert "Traceback" not in told


def test_options_that_are_not_given_are_not_sent() -> None:
    assert JobOptions().chosen() == {}
    assert JobOptions(diarize=False, clip_start=0.0).chosen(priority="batch") == {
        "diarize": False,
        "clip_start": 0.0,
        "priority": "batch",
    }
    assert JobOptions(webhook="https://example.com").chosen() == {
        "webhook": {"url": "https://example.com"}
    }
