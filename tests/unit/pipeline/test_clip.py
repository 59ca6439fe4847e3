import pytest

from jobs.options import Task, TranscriptionOptions
from pipeline.clip import LANGUAGE_SECONDS, WHOLE, Clip, clip_of, heard_later, moved
from pipeline.progress import HeardText
from transcript.transcript import Segment, Transcript, Turn, Word


def test_without_a_clip_the_whole_media_is_looked_at() -> None:
    assert clip_of(TranscriptionOptions()) == WHOLE


def test_a_clip_is_what_the_client_says() -> None:
    assert clip_of(TranscriptionOptions(clip_start=60, clip_end=90.5)) == Clip(start=60, end=90.5)
    assert clip_of(TranscriptionOptions(clip_end=5)) == Clip(start=0, end=5)


@pytest.mark.parametrize(
    ("start", "end", "looked_at"),
    [
        (None, None, Clip(start=0, end=LANGUAGE_SECONDS)),
        (100.0, None, Clip(start=100, end=100 + LANGUAGE_SECONDS)),
        (100.0, 130.0, Clip(start=100, end=130)),
        (None, 1e5, Clip(start=0, end=LANGUAGE_SECONDS)),
    ],
)
def test_a_language_is_not_looked_for_in_ten_hours(
    start: float | None, end: float | None, looked_at: Clip
) -> None:
    options = TranscriptionOptions(task=Task.DETECT_LANGUAGE, clip_start=start, clip_end=end)

    assert clip_of(options) == looked_at


def test_segments_words_and_turns_are_moved_together() -> None:
    word = Word(word="hi", start=1.0, end=1.5)
    segment = Segment(id=0, start=1.0, end=1.5, text="hi", words=(word,))
    turn = Turn(start=0.9, end=1.6, speaker="SPEAKER_00")
    transcript = Transcript(
        text="hi", language="en", duration=62, segments=(segment,), turns=(turn,)
    )

    later = moved(transcript, 60.0001)

    assert (later.segments[0].start, later.segments[0].end) == (61.0, 61.5)
    assert (later.segments[0].words[0].start, later.segments[0].words[0].end) == (61.0, 61.5)
    assert (later.turns[0].start, later.turns[0].end) == (60.9, 61.6)
    assert later.duration == 62  # was on the media's clock already
    assert moved(transcript, 0.0) == transcript


def test_texts_are_heard_on_the_medias_clock() -> None:
    heard: list[HeardText] = []
    heard_later(heard.append, 60.0)(HeardText(start=1.0, end=2.0, text=" hi"))

    assert heard == [HeardText(start=61.0, end=62.0, text=" hi")]
