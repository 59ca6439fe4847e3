"""The two calls that Bazarr makes of a film whose language it does not know, on real speech."""

from pathlib import Path

import httpx
import numpy as np
import pytest
import srt


@pytest.fixture(scope="module")
def samples(call: Path) -> bytes:
    """The call as Bazarr sends it: 16 kHz, mono, signed 16 bit, without a header."""
    from faster_whisper.audio import decode_audio

    waveform = decode_audio(str(call), sampling_rate=16_000)
    samples: bytes = (np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes()
    return samples


def test_bazarr_finds_out_the_language_and_gets_its_subtitles(
    http: httpx.Client, samples: bytes
) -> None:
    def send(path: str, **query: str) -> httpx.Response:
        files = {"audio_file": ("audio_file", samples)}  # as `requests` names it
        answer = http.post(path, params=query, files=files, timeout=240)
        assert answer.status_code == 200, answer.text
        return answer

    detected = send("/detect-language", encode="false", video_file="{'/films/call.mkv'}").json()
    subtitles = send(
        "/asr",
        task="transcribe",
        language=detected["language_code"],
        output="srt",
        encode="false",
        video_file="{'/films/call.mkv'}",
    )

    cues = list(srt.parse(subtitles.content.decode()))
    text = " ".join(cue.content for cue in cues).lower()
    assert detected["detected_language"] == "english"
    assert detected["confidence"] > 0.9
    assert "hello" in text
    assert len(cues) > 3
    assert 20 < cues[-1].end.total_seconds() <= 31
    assert "speaker_" not in text  # nobody asked who speaks
