from pathlib import Path

import pytest

from pipeline.__main__ import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["pipeline", *arguments])
    return main()


def test_what_cannot_work_is_said_before_any_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    media = tmp_path / "a.wav"
    media.touch()

    assert run(monkeypatch, "nowhere.mp3") == 2
    assert run(monkeypatch, str(media), "--output", str(tmp_path / "no" / "a.srt")) == 2
    assert run(monkeypatch, str(media), "--language", "klingon") == 2
    assert run(monkeypatch, "pull", "no-such-model") == 1


def test_a_refused_option_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media = tmp_path / "a.wav"
    media.touch()
    run(monkeypatch, str(media), "--language", "klingon")

    assert "language: unknown language 'klingon'" in capsys.readouterr().err


def test_a_clip_that_ends_before_it_starts_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media = tmp_path / "a.wav"
    media.touch()

    assert run(monkeypatch, str(media), "--clip-start", "60", "--clip-end", "30") == 2
    assert "clip_end (30) is not after clip_start (60)" in capsys.readouterr().err
