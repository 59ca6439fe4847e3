import pytest

from jobs.content_type import sound_content_type


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("audio/wav", "audio/wav"),
        (" Audio/WAV; charset=x", "audio/wav"),
        ("application/vnd.x+xml", "application/vnd.x+xml"),
        ("a" * 100_000, None),
        ("audio/" + "x" * 101, None),
        ("x\r\nX-Evil: z", None),
        ("audio", None),
        ("äudio/wav", None),
        ("", None),
        (None, None),
    ],
)
def test_only_what_is_a_content_type_is_kept(sent: str | None, kept: str | None) -> None:
    assert sound_content_type(sent) == kept
