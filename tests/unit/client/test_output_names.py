"""Where transcripts go, and that no two of them go to the same place."""

from pathlib import Path, PurePosixPath

import pytest

from client.output_names import OutputNames, below, name_of_source, safe_name


def name(names: OutputNames, relative: str, *, is_alone: bool = True) -> str:
    return names.name_of(PurePosixPath(relative), is_alone=is_alone)


def test_a_transcript_is_called_like_its_media_where_that_is_clear(tmp_path: Path) -> None:
    names = OutputNames(tmp_path, kept=())

    assert name(names, "a/talk.mp3") == "a/talk"
    assert name(names, "b/talk.mp3", is_alone=False) == "b/talk.mp3"
    assert name(names, "b/talk.wav", is_alone=False) == "b/talk.wav"


def test_a_latecomer_does_not_take_the_name_of_what_is_done(tmp_path: Path) -> None:
    names = OutputNames(tmp_path, kept=[("talk.mp3", "talk")])

    assert name(names, "talk.wav") == "talk.wav"
    assert name(names, "Talk.ogg") == "Talk.ogg"  # the same, to some file systems
    assert name(names, "talk.mp3", is_alone=False) == "talk"


def test_names_that_others_have_in_full_are_not_taken(tmp_path: Path) -> None:
    names = OutputNames(tmp_path, kept=())
    found = [
        name(names, "a.mp3.wav"),
        name(names, "a.mp3", is_alone=False),
        name(names, "a.wav", is_alone=False),
    ]

    assert found[0] == "a.mp3"
    assert len(set(found)) == 3
    again = OutputNames(tmp_path, kept=())
    assert name(again, "a.mp3.wav") == found[0]
    assert name(again, "a.mp3", is_alone=False) == found[1]


def test_no_transcript_replaces_the_media(tmp_path: Path) -> None:
    media = tmp_path / "a.json"
    names = OutputNames(tmp_path, kept=())

    assert names.name_of(PurePosixPath("a.json"), is_alone=True, path=media) == "a.json"
    assert names.name_of(PurePosixPath("b.json"), is_alone=True, path=Path("/in/b.json")) == "b"


def test_a_name_as_long_as_names_can_be_leaves_room_for_the_format(tmp_path: Path) -> None:
    long = "ü" * 125 + ".wav"
    found = name(OutputNames(tmp_path, kept=()), f"a/{long}", is_alone=False)
    other = name(OutputNames(tmp_path, kept=()), f"a/{long[1:]}x.wav", is_alone=False)

    assert len(PurePosixPath(found).name.encode()) + len(".json") <= 255
    assert found != other


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/etc/passwd", "etc/passwd"), ("../../x/y", "x/y"), ("./a//b", "a/b"), ("a/../b", "a/b")],
)
def test_a_path_never_leads_out_of_the_folder_it_is_put_below(path: str, kept: str) -> None:
    assert below(Path(path)) == PurePosixPath(kept)


@pytest.mark.parametrize("path", ["/", "..", "."])
def test_a_path_that_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="names no file"):
        below(Path(path))


@pytest.mark.parametrize(
    ("address", "begins"),
    [
        ("https://example.com/talks/my%20talk.mp3?x=1#y", "my talk-"),
        ("https://example.com/a/..%2f..%2fetc%2fpasswd", "passwd-"),
        ("https://example.com/%1b%5b31m.mp3", "_[31m-".replace("[", "_")),
        ("https://example.com/", "media-"),
        ("s3://bucket/deep/...", "media-"),
        ("https://[broken", "media-"),
    ],
)
def test_an_address_is_named_by_its_harmless_end(address: str, begins: str) -> None:
    found = name_of_source(address)

    assert len(found.parts) == 1
    assert found.name.startswith(begins)


def test_a_job_id_is_a_safe_name() -> None:
    assert safe_name("job_0a1b") == "job_0a1b"
    assert safe_name("cli:a/b") == "cli_a_b"
