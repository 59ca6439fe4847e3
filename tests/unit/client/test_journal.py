"""What a run remembers for the next one."""

from dataclasses import replace
from pathlib import Path

import pytest

from client.errors import Misuse
from client.journal import JOURNAL_NAME, Entry, Journal

ENTRY = Entry(
    path="a/b.mp3", size=3, mtime_ns=4, sha256="s", options="o", formats=("srt",), job="j",
    name="a/b",
)  # fmt: skip


def reread(directory: Path) -> dict[str, str]:
    with Journal(directory) as journal:
        return dict(journal.names())


def test_what_was_added_is_there_for_the_next_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "new") as journal:
        journal.add(ENTRY)
        journal.add(replace(ENTRY, path="c.mp3", name="c"))
        journal.add(replace(ENTRY, size=5))

    with Journal(tmp_path / "new") as journal:
        assert journal.find("a/b.mp3") == replace(ENTRY, size=5)
        assert journal.find("nobody") is None
        assert len(list(journal.names())) == 2


@pytest.mark.parametrize("length", range(2, 40, 3))
def test_a_torn_last_line_costs_that_line_only(tmp_path: Path, length: int) -> None:
    with Journal(tmp_path) as journal:
        journal.add(ENTRY)
        journal.add(replace(ENTRY, path="torn.mp3"))
    file = tmp_path / JOURNAL_NAME
    file.write_bytes(file.read_bytes()[:-length])

    assert list(reread(tmp_path)) == ["a/b.mp3"]
    with Journal(tmp_path) as journal:
        journal.add(replace(ENTRY, path="next.mp3"))
    assert list(reread(tmp_path)) == ["a/b.mp3", "next.mp3"]


def test_lines_that_make_no_sense_are_passed_over(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.add(ENTRY)
    with (tmp_path / JOURNAL_NAME).open("ab") as file:
        file.write(b'\xff\xfe\n[]\n{"path": "x"}\nnull\n\n{"formats": 3, "path": "y"}\n')

    assert list(reread(tmp_path)) == ["a/b.mp3"]


def test_a_name_that_is_no_unicode_is_remembered(tmp_path: Path) -> None:
    name = b"gr\xfc\xdfe.mp3".decode("utf-8", "surrogateescape")
    with Journal(tmp_path) as journal:
        journal.add(replace(ENTRY, path=name, name=name))

    assert reread(tmp_path) == {name: name}


def test_two_runs_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(Misuse, match="another whisperline"):
        Journal(tmp_path)
    Journal(tmp_path).__exit__(None, None, None)
