import pytest

from transcript.characters import printable, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  two \t words\r\n", "two words"),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\u3000h", "a b c d e f g h"),
        ("a\x00b\x1b[31m\x7f\ufeff", "ab[31m"),
        ("10\u00a0000\u202f€", "10\u00a0000\u202f€"),
        ("\u00a0a \u00a0 b\u00a0", "a b"),
        ("half\ud83d", "half\ufffd"),
        ("a \u200b b", "a b"),
        ("نیم\u200cفصل", "نیم\u200cفصل"),
        ("\u200b\u2060", ""),
        ("", ""),
    ],
)
def test_text_becomes_one_line_that_breaks_no_file(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_line_separator_of_unicode_is_a_space() -> None:
    separators = [chr(code) for code in range(0x110000) if len(f"a{chr(code)}b".splitlines()) > 1]

    assert len(separators) > 5
    assert all(printable(f"a{separator}b") == "a b" for separator in separators)


@pytest.mark.parametrize(
    ("text", "columns"),
    [("Hello", 5), ("é", 1), ("e\u0301", 1), ("今天", 4), ("한국", 4), ("ｶﾅ", 2), ("\u200d", 0)],
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert width(text) == columns
