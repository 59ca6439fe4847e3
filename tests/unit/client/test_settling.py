"""Files that somebody still writes to."""

from pathlib import Path

from client.settling import Settling


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_taken_once_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    settling = Settling(seconds=5, clock=clock)
    media = tmp_path / "a.mp3"
    media.write_text("some")

    assert settling.look([media]) == []
    clock.now = 4
    media.write_text("some more")
    assert settling.look([media]) == []
    clock.now = 8.9
    assert settling.look([media]) == []
    assert settling.unsettled == 1
    clock.now = 9
    assert settling.look([media]) == [media]
    assert settling.unsettled == 0
    assert settling.look([media]) == []


def test_a_file_that_changes_later_is_taken_again(tmp_path: Path) -> None:
    clock = Clock()
    settling = Settling(seconds=1, clock=clock)
    media = tmp_path / "a.mp3"
    media.write_text("one")
    settling.look([media])
    clock.now = 1
    assert settling.look([media]) == [media]

    media.write_text("another")
    assert settling.look([media]) == []
    clock.now = 2
    assert settling.look([media]) == [media]


def test_empty_files_folders_and_what_is_gone_are_not_waited_for(tmp_path: Path) -> None:
    settling = Settling(seconds=0, clock=Clock())
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "folder.mp3").mkdir()

    assert settling.look(tmp_path / name for name in ("empty.mp3", "folder.mp3", "gone.mp3")) == []
    assert settling.unsettled == 0
