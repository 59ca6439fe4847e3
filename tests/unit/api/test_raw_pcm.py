"""Samples without a header, as clients of whisper-asr-webservice send them."""

import io
import wave

import pytest

from api.raw_pcm import WAV_HEADER
from jobs.request_errors import EmptyMedia, InvalidOptions
from tests.unit.api.drop_in_requests import FILE, sent


def test_raw_samples_get_the_header_that_they_lack() -> None:
    assert sent("encode=false")[2] == WAV_HEADER + b"bytes"
    assert sent("", [("encode", "false")])[2] == WAV_HEADER + b"bytes"
    assert sent("encode=false", [("encode", "true")])[2] == b"bytes"
    assert sent("encode=true")[2] == sent()[2] == b"bytes"


def test_the_header_says_what_those_clients_send() -> None:
    with wave.open(io.BytesIO(WAV_HEADER + b"\x01\x02" * 10)) as sound:
        assert sound.getparams()[:3] == (1, 2, 16_000)  # channels, bytes of a sample, Hz
    assert len(WAV_HEADER) == 44


def test_raw_that_is_told_after_the_file_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="before the file"):
        sent("", [(FILE, "bytes"), ("encode", "false")])
    with pytest.raises(InvalidOptions, match="before the file"):
        sent("encode=false", [(FILE, "bytes"), ("encode", "true")])

    assert sent("encode=false", [(FILE, "bytes"), ("encode", "false")])[2].endswith(b"bytes")


def test_a_header_before_no_samples_is_still_nothing() -> None:
    with pytest.raises(EmptyMedia):
        sent("encode=false", [(FILE, "")])
