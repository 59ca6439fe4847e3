"""What clients of the replaced service read, made of a transcript."""

import json
from math import inf, nan
from typing import Any

from api.asr_answers import AsrAnswer
from api.detection import DetectedLanguage
from transcript.transcript import Segment, Speaker, Transcript, TranscriptWarning, Word


def answered(transcript: Transcript) -> dict[str, Any]:
    def no_constant(name: str) -> None:
        raise AssertionError(name)

    text = AsrAnswer.of(transcript).model_dump_json()
    found: dict[str, Any] = json.loads(text, parse_constant=no_constant)
    return found


def a_segment(number: int = 0, speaker: str | None = "SPEAKER_00", **changes: Any) -> Segment:
    word = Word(word="hello", start=0.5, end=0.8, score=0.95, speaker=speaker)
    return Segment(
        id=number, start=0.5, end=2.3, text="hello", speaker=speaker, words=(word,)
    ).model_copy(update=changes)


def a_transcript(**changes: Any) -> Transcript:
    found = Transcript(text="hello", language="en", duration=3.0, segments=(a_segment(),))
    return found.model_copy(update=changes)


def test_the_answer_is_that_of_the_replaced_service() -> None:
    word = {"word": "hello", "start": 0.5, "end": 0.8, "score": 0.95, "speaker": "SPEAKER_00"}
    segment = {"start": 0.5, "end": 2.3, "text": "hello", "speaker": "SPEAKER_00", "words": [word]}

    assert answered(a_transcript()) == {
        "text": [segment],
        "language": "en",
        "segments": [segment],
        "word_segments": [word],
        "warnings": [],
    }


def test_a_speaker_that_nobody_knows_is_absent() -> None:
    answer = answered(a_transcript(segments=(a_segment(speaker=None),)))

    assert "speaker" not in answer["segments"][0]
    assert "speaker" not in answer["segments"][0]["words"][0]
    assert "speaker" not in answer["word_segments"][0]


def test_a_word_always_has_its_times_and_a_score_that_may_be_null() -> None:
    word = Word(word="42", start=1.0, end=1.0)

    answer = answered(a_transcript(segments=(a_segment(words=(word,)),)))

    assert answer["word_segments"] == [{"word": "42", "start": 1.0, "end": 1.0, "score": None}]


def test_where_nobody_speaks_there_is_nothing_and_it_is_no_error() -> None:
    answer = answered(Transcript(text="", language=None, duration=3.0))

    assert answer == {
        "text": [],
        "language": None,
        "segments": [],
        "word_segments": [],
        "warnings": [],
    }


def test_embeddings_are_those_of_who_is_in_the_segments() -> None:
    speakers = (
        Speaker(label="SPEAKER_00", seconds=1.0, embedding=(0.5, -0.25)),
        Speaker(label="SPEAKER_01", seconds=0.0, embedding=(0.0, 1.0)),
    )

    answer = answered(a_transcript(speakers=speakers))

    assert answer["speaker_embeddings"] == {"SPEAKER_00": [0.5, -0.25]}


def test_what_is_no_number_never_reaches_a_client() -> None:
    segments = (a_segment(0), a_segment(1, "SPEAKER_01"))
    nowhere = Word(word="hello", start=0.5, end=0.8).model_copy(update={"score": nan})
    speakers = (
        Speaker.model_construct(label="SPEAKER_00", seconds=1.0, embedding=(0.5, nan)),
        Speaker.model_construct(label="SPEAKER_01", seconds=1.0, embedding=(inf, 1.0)),
    )

    answer = answered(
        a_transcript(
            segments=(*segments, a_segment(2, words=(nowhere,))),
            speakers=speakers,
        )
    )

    assert "speaker_embeddings" not in answer
    assert answer["word_segments"][-1]["score"] is None


def test_a_stage_that_failed_is_told() -> None:
    warning = TranscriptWarning(code="diarization_failed", stage="diarize", message="no speakers")

    answer = answered(a_transcript(warnings=(warning,)))

    assert answer["warnings"] == [
        {"code": "diarization_failed", "stage": "diarize", "message": "no speakers"}
    ]


def test_a_language_is_told_by_name_and_code() -> None:
    german = DetectedLanguage.of(a_transcript(language="de", language_confidence=0.98))
    english_only = DetectedLanguage.of(a_transcript(language_confidence=None))
    nobody = DetectedLanguage.of(a_transcript(language=None))

    assert german.model_dump() == {
        "detected_language": "german",
        "language_code": "de",
        "confidence": 0.98,
    }
    assert english_only.confidence is None
    assert (nobody.detected_language, nobody.language_code) == ("unknown", "und")
