"""Hostile and broken media through HTTP: a typed failure each, and the next job is fine."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack

Transcribed = Callable[..., dict[str, Any]]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


def silence(*, rate: int, channels: int, seconds: float = 1.0) -> bytes:
    """A wav file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(2 * channels * int(rate * seconds)))
    return out.getvalue()


PLAYLISTS = {
    "local.m3u8": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "loopback.m3u8": b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
    "list.ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "stream.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize(
    ("name", "content", "codes"),
    [
        ("text.mp3", b"this is no sound at all\n" * 50, {"unsupported_media"}),
        ("picture.png", PNG, {"unsupported_media", "no_audio_stream"}),
        ("page.mp3", b"<!DOCTYPE html><html><body>404</body></html>", {"unsupported_media"}),
        *((name, content, {"unsupported_media"}) for name, content in PLAYLISTS.items()),
    ],
)
def test_what_is_no_media_fails_with_its_code(
    transcribed: Transcribed, name: str, content: bytes, codes: set[str]
) -> None:
    job = transcribed(content, name=name)

    assert job["status"] == "failed"
    assert job["error"]["code"] in codes
    assert job["error"]["message"]
    assert "/" not in job["error"]["message"].replace("and/or", "")  # no path of ours
    assert not job["error"]["retryable"]


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("trunc60_moov_at_end.mp4", {"corrupt_media", "unsupported_media"}),
        ("random_8k.wav", {"unsupported_media", "corrupt_media"}),
        ("html_error_page.mp3", {"unsupported_media"}),
        ("hls_local_file.mp3", {"unsupported_media"}),
        ("video_only_no_audio.mp4", {"no_audio_stream"}),
    ],
)
def test_malformed_recordings_fail_with_their_code(
    transcribed: Transcribed, shared_audio: Path, path: str, codes: set[str]
) -> None:
    job = transcribed(shared_audio / "malformed" / path)

    assert job["status"] == "failed"
    assert job["error"]["code"] in codes


@pytest.mark.parametrize(
    ("path", "seconds", "warned"),
    [("trunc50_header_says_full.wav", 3.0, True), ("streaming_header_ffffffff.wav", 6.0, False)],
)
def test_a_damaged_recording_gives_what_is_left_of_it(
    transcribed: Transcribed, shared_audio: Path, path: str, seconds: float, *, warned: bool
) -> None:
    job = transcribed(shared_audio / "malformed" / path)

    assert job["status"] == "succeeded"
    assert job["media"]["seconds"] == pytest.approx(seconds, abs=0.2)
    assert ("damaged_media" in [warning["code"] for warning in job["warnings"]]) is warned


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (96_000, 2), (48_000, 8)])
def test_unusual_sound_is_read(transcribed: Transcribed, rate: int, channels: int) -> None:
    job = transcribed(silence(rate=rate, channels=channels), name="s.wav")

    assert job["status"] == "succeeded"
    assert job["media"]["seconds"] == pytest.approx(1.0, abs=0.05)


def test_after_all_that_the_worker_lives_and_hears(
    transcribed: Transcribed, http: httpx.Client, service: Stack, call: Path
) -> None:
    assert transcribed(call, diarize="false", model="tiny.en")["status"] == "succeeded"
    assert http.get("/health").json()["status"] == "healthy"
    assert all(process.is_alive() for process in service.processes)
