"""Formats, names on terminals, and which refusals are whose."""

import pytest

from client.errors import Misuse, ServiceRefused
from client.formats import FORMATS, formats_in
from client.media_files import MEDIA_SUFFIXES
from client.printable import in_one_line, printable
from client.refusals import holds_for_all


def test_formats_are_read_with_commas_each_once() -> None:
    assert formats_in("srt, VTT,,srt") == ("srt", "vtt")


@pytest.mark.parametrize("text", ["", ",", "srt,doc", "text"])
def test_an_unknown_format_is_told_with_the_known_ones(text: str) -> None:
    with pytest.raises(Misuse, match="known are: json, srt"):
        formats_in(text)


def test_what_is_written_is_never_taken_for_media() -> None:
    assert not {f".{form}" for form in FORMATS} & MEDIA_SUFFIXES


def test_escape_codes_do_not_reach_a_terminal() -> None:
    assert printable("\x1b[31mred\x07\x9b1m\u202egnp.exe\udcff") == "[31mred1mgnp.exe"
    assert printable("two\nlines\tand नि\u200dयम") == "two\nlines\tand नि\u200dयम"
    assert in_one_line("two\nlines\r") == "two lines"


@pytest.mark.parametrize(
    ("status", "code", "has_own_options", "for_all"),
    [
        (401, "not_authenticated", False, True),
        (403, "not_allowed", True, True),
        (422, "invalid_options", False, True),
        (422, "invalid_options", True, False),
        (400, "unknown_model", False, True),
        (413, "too_large", False, False),
        (413, "", False, False),
        (404, "", False, True),
        (422, "fetch_blocked", False, False),
        (400, "empty_media", False, False),
        (500, "internal", False, False),
    ],
)
def test_a_refusal_that_all_would_get_is_told_from_one_of_this_media(
    status: int, code: str, *, has_own_options: bool, for_all: bool
) -> None:
    error = ServiceRefused(status, code, "no")

    assert holds_for_all(error, has_own_options=has_own_options) is for_all
