import pytest

from jobs.shown_name import MAX_NAME_CHARACTERS, shown_name


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("talk.mp3", "talk.mp3"),
        ("/etc/passwd", "passwd"),
        ("C:\\\\talk.mp3", "talk.mp3"),
        ("a\x07b\u202e.mp3", "ab.mp3"),
        ("dir/", "dir"),
        ("", "media"),
        ("..", "media"),
        (" \n", "media"),
    ],
)
def test_a_name_is_shown_without_folders_and_control_characters(sent: str, shown: str) -> None:
    assert shown_name(sent) == shown


def test_the_ending_of_a_long_name_is_kept() -> None:
    assert shown_name("é" * 300 + ".mp3").endswith("é.mp3")
    assert len(shown_name("é" * 300)) == MAX_NAME_CHARACTERS
