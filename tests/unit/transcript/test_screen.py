from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.transcript.transcripts_made import seeded, spoken, transcript_of, transcripts
from transcript.cue_options import CueOptions
from transcript.cues import cues_of
from transcript.screen import FRAME_SECONDS, Speech, screen_times
from transcript.transcript import Segment, Transcript

_OPTIONS = CueOptions()


def _times(*segments: Segment, silence: float) -> list[tuple[float, float]]:
    cues = cues_of(transcript_of(*segments, silence=silence), _OPTIONS)
    return [(round(cue.start, 3), round(cue.end, 3)) for cue in cues]


@seeded
@given(transcript=transcripts(most=5), word_level=st.booleans())
def test_no_cue_ends_after_the_media_unless_words_do(
    transcript: Transcript,
    word_level: bool,  # noqa: FBT001
) -> None:
    cues = cues_of(transcript, CueOptions(word_level=word_level))
    words_end = max((segment.end for segment in transcript.segments), default=0.0)
    words_end = max([words_end, *(segment.start for segment in transcript.segments)])

    room = len(cues) * FRAME_SECONDS
    if transcript.duration > 0:
        assert all(cue.end <= max(transcript.duration, words_end, room) + 1e-6 for cue in cues)


@seeded
@given(
    starts=st.lists(st.floats(min_value=0, max_value=3), max_size=12).map(sorted),
    lasting=st.sampled_from((0.0, 0.2)),
    duration=st.sampled_from((0.01, 0.3, 1.0, 3.0)),
)
@example(starts=[0.0] * 12, lasting=0.0, duration=0.01)
def test_whatever_is_said_at_the_end_is_on_screen_in_turn(
    starts: list[float], lasting: float, duration: float
) -> None:
    said = [Speech(start=start, end=start + lasting, columns=30) for start in starts]

    times = screen_times(said, _OPTIONS, duration=duration)

    assert len(times) == len(said)
    assert all(start >= 0 and end - start >= FRAME_SECONDS - 1e-9 for start, end in times)
    assert all(first[1] <= second[0] for first, second in pairwise(times))


def test_the_last_cue_ends_with_the_media() -> None:
    segment = spoken("This was said in one second, rather fast", 1.0, 2.0)

    assert _times(segment, silence=60.0) == [(1.0, 3.0)]
    assert _times(segment, silence=0.5) == [(1.0, 2.5)]
    assert _times(segment, silence=0.0) == [(1.0, 2.0)]


def test_without_a_known_duration_a_cue_stays_until_it_can_be_read() -> None:
    segment = spoken("This was said in one second, rather fast", 1.0, 2.0)

    assert _times(segment, silence=-2.0) == [(1.0, 3.0)]


def test_a_word_at_the_very_end_is_shown_for_a_frame() -> None:
    assert _times(spoken("Oh.", 9.0, 10.0), spoken("No.", 10.0, 10.0), silence=0.0) == [
        (9.0, 9.96),
        (9.96, 10.0),
    ]


def test_people_who_talk_at_once_at_the_end_share_the_time() -> None:
    both = [spoken("Nobody waits for me.", 9.0, 10.0, speaker=name) for name in ("A", "B")]

    assert _times(*both, silence=0.0) == [(9.0, 9.5), (9.5, 10.0)]


@pytest.mark.parametrize("duration", [0.0, 1e9])
def test_media_that_goes_on_changes_nothing(duration: float) -> None:
    said = [Speech(start=start, end=start + 1.0, columns=30) for start in (0.0, 0.5, 8.0)]

    times = screen_times(said, _OPTIONS, duration=duration)

    assert times == [(0.0, 1.5), (1.5, 3.0), (8.0, 9.5)]
