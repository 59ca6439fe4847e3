import pytest

from pipeline.containers import DEMUXERS, declared_bytes, is_known


@pytest.mark.parametrize(
    "reader",
    ["hls", "concat", "dash", "sdp", "rtsp", "rtp", "image2", "imf", "webm_dash_manifest", "srt"],
)
def test_nothing_that_lists_other_files_is_opened(reader: str) -> None:
    assert reader not in DEMUXERS


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\x04" + bytes(100),
        b"\xff\xfb\x90\x64" + bytes(100),
        b"RIFF\x24\0\0\0WAVE",
        b"\0\0\0\x20ftypisom",
        b"\x1aE\xdf\xa3" + bytes(20),
        b"OggS\0\x02",
        bytes([0x47, *bytes(187)]) * 3,
    ],
)
def test_containers_are_known_by_their_first_bytes(head: bytes) -> None:
    assert is_known(head)


@pytest.mark.parametrize("head", [b"", b"#EXTM3U\n", b"<!doctype html>", b"%PDF-1.7", b"\xff"])
def test_other_bytes_are_not(head: bytes) -> None:
    assert not is_known(head)


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"RIFF\x10\x27\0\0WAVE", 10_008),
        (b"FORM\0\0\x27\x10AIFF", 10_008),
        (b"RIFF\xff\xff\xff\xffWAVE", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"OggS\0\0\0\0", None),
        (b"", None),
    ],
)
def test_a_header_may_say_how_large_the_file_should_be(head: bytes, size: int | None) -> None:
    assert declared_bytes(head) == size
