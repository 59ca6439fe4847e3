"""Names in an archive are safe to unpack, and no two are the same on any system."""

import pytest

from api.archive_names import ArchiveNames


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("call", "call.srt"),
        ("../../etc/passwd", "_.._etc_passwd.srt"),
        ("..", "job_1.srt"),
        ("", "job_1.srt"),
        ("C:\\calls\\a", "C__calls_a.srt"),
        ("a\x00b\nc\u202e", "a_b_c_.srt"),
        (".hidden", "hidden.srt"),
        ("gr\u00fc\u00dfe \u65e5\u672c", "gr\u00fc\u00dfe \u65e5\u672c.srt"),
        ("\u65e5" * 200, "\u65e5" * 60 + ".srt"),
    ],
)
def test_a_name_is_made_safe(wanted: str, given: str) -> None:
    assert ArchiveNames().take(wanted, ".srt", otherwise="job_1") == given


def test_no_two_names_are_the_same_whatever_their_case() -> None:
    names = ArchiveNames("results.jsonl")

    taken = [names.take(name, ".jsonl", otherwise="x") for name in ("Results", "a", "A", "a-2")]
    assert taken == ["Results-2.jsonl", "a.jsonl", "A-2.jsonl", "a-2-2.jsonl"]
