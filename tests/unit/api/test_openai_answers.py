"""What clients of the OpenAI audio API are answered."""

import json
from typing import Any

import pytest

from api.openai_answers import content
from api.openai_options import OpenAIFields
from jobs.options import Task
from transcript.transcript import Segment, Transcript, TranscriptWarning, Word

GOOD = Segment(
    id=0,
    start=1.5,
    end=2.5,
    text="Good morning.",
    speaker="SPEAKER_00",
    words=(
        Word(word="Good", start=1.5, end=1.9, score=0.9, speaker="SPEAKER_00"),
        Word(word="morning.", start=2.0, end=2.5, score=None),
    ),
    confidence=0.8,
    avg_logprob=-0.22,
    no_speech_prob=0.01,
    compression_ratio=0.9,
    temperature=0.2,
)
BYE = Segment(id=1, start=3.0, end=4.0, text="Bye.")
TRANSCRIPT = Transcript(
    text="Good morning. Bye.", language="de", duration=5.25, segments=(GOOD, BYE)
)
USAGE = {"type": "duration", "seconds": 5.25}


def answered(
    *, transcript: Transcript = TRANSCRIPT, task: Task = Task.TRANSCRIBE, **form: str
) -> str:
    fields = OpenAIFields.model_validate({name: [text] for name, text in form.items()})
    return content(transcript, fields, task).decode()


def parsed(**asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answered(**asked))
    return found


def test_json_is_the_text_and_what_it_cost() -> None:
    assert parsed() == {"text": "Good morning. Bye.", "usage": USAGE}


def test_text_is_the_text_on_its_own() -> None:
    assert answered(response_format="text") == "Good morning. Bye.\n"


def test_text_with_speakers_has_a_line_for_each_turn() -> None:
    text = answered(response_format="text", diarize="true")

    assert text.splitlines()[0] == "[SPEAKER_00] Good morning."


def test_verbose_json_has_whispers_own_numbers() -> None:
    answer = parsed(response_format="verbose_json")

    assert answer["task"] == "transcribe"
    assert answer["language"] == "german"
    assert answer["duration"] == 5.25
    assert answer["segments"][0] == {
        "id": 0,
        "seek": 150,
        "start": 1.5,
        "end": 2.5,
        "text": "Good morning.",
        "tokens": [],
        "temperature": 0.2,
        "avg_logprob": -0.22,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
    }
    assert "words" not in answer


def test_verbose_json_has_words_and_speakers_when_asked_for() -> None:
    form = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    plain, diarized = parsed(**form), parsed(**form, diarize="true")

    assert plain["words"] == [
        {"word": "Good", "start": 1.5, "end": 1.9},
        {"word": "morning.", "start": 2.0, "end": 2.5},
    ]
    assert diarized["words"][0]["speaker"] == diarized["segments"][0]["speaker"] == "SPEAKER_00"
    assert "speaker" not in diarized["segments"][1]


def test_a_translation_is_english_and_silence_no_language() -> None:
    silence = Transcript(text="", language=None, duration=1.0)
    translated = parsed(task=Task.TRANSLATE, response_format="verbose_json")
    silent = parsed(transcript=silence, response_format="verbose_json")

    assert (translated["task"], translated["language"]) == ("translate", "english")
    assert (silent["language"], silent["segments"], silent["text"]) == ("unknown", [], "")


def test_diarized_json_names_a_speaker_for_each_segment() -> None:
    assert parsed(response_format="diarized_json") == {
        "text": "Good morning. Bye.",
        "usage": USAGE,
        "task": "transcribe",
        "duration": 5.25,
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": "seg_0",
                "start": 1.5,
                "end": 2.5,
                "text": "Good morning.",
                "speaker": "SPEAKER_00",
            },
            {
                "type": "transcript.text.segment",
                "id": "seg_1",
                "start": 3.0,
                "end": 4.0,
                "text": "Bye.",
                "speaker": "unknown",
            },
        ],
    }


@pytest.mark.parametrize("wanted", ["srt", "vtt"])
def test_cues_name_speakers_only_when_they_were_asked_for(wanted: str) -> None:
    assert "[SPEAKER_00]" not in answered(response_format=wanted)
    assert "[SPEAKER_00] Good morning." in answered(response_format=wanted, diarize="true")


@pytest.mark.parametrize("wanted", ["json", "verbose_json", "diarized_json"])
def test_json_says_what_is_missing_and_what_was_asked_in_vain(wanted: str) -> None:
    lacking = TranscriptWarning(code="diarization_failed", stage="diarize", message="no speakers")
    transcript = TRANSCRIPT.model_copy(update={"warnings": (lacking,)})

    warnings = parsed(
        transcript=transcript, response_format=wanted, **{"known_speaker_names[]": "ann"}
    )["warnings"]

    assert warnings[0]["code"] == "diarization_failed"
    assert warnings[1]["code"] == "without_effect"
    assert warnings[1]["message"].startswith("known_speaker_names: ")
    assert len(warnings) == 2
