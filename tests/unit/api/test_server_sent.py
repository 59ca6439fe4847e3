import pytest

from api.server_sent import comment, event, retry
from tests.events_read import read


@pytest.mark.parametrize(
    "data",
    [
        '{"text": " hello"}',
        "",
        " a blank first",
        "two\nlines",
        "\n",
        "end: of: line:\n\n",
        "\N{LINE SEPARATOR} ends no line here, nor does \x85 or \v",
        "Grüße, 你好",
    ],
)
def test_what_is_sent_is_what_a_client_reads(data: str) -> None:
    (found,) = read(event("segment", data, id="1-2"))

    assert (found.event, found.data, found.id) == ("segment", data, "1-2")


@pytest.mark.parametrize("line_end", ["\r", "\r\n"])
def test_every_line_end_of_the_format_arrives_as_one_line_feed(line_end: str) -> None:
    (found,) = read(event("a", f"x{line_end}data: y{line_end}{line_end}event: b"))

    assert (found.event, found.data) == ("a", "x\ndata: y\n\nevent: b")


def test_an_event_without_an_id_leaves_the_one_before() -> None:
    first, second = read(event("segment", "{}", "1-2") + event("progress", "{}"))

    assert (first.id, second.id) == ("1-2", "1-2")


@pytest.mark.parametrize("broken", ["a\nb", "a\rb", "a\0b"])
def test_a_name_or_an_id_on_two_lines_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match="not on one line"):
        event(broken, "{}")
    with pytest.raises(ValueError, match="not on one line"):
        event("status", "{}", broken)


def test_comments_are_no_events() -> None:
    assert read(comment() + comment("one\ndata: two")) == []
    assert comment() == b":\n\n"


def test_a_client_is_told_when_to_come_back() -> None:
    (found,) = read(retry(2000))

    assert (found.retry, found.data) == (2000, "")
