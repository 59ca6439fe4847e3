from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech import Turn
from pipeline.turn_edges import REACH_SECONDS, reach_to_turns
from transcript.transcript import Segment

times = st.integers(0, 400).map(lambda tenths: tenths / 10)


def segment(start: float, end: float, speaker: str | None = "A", number: int = 0) -> Segment:
    return Segment(id=number, start=start, end=end, text="x", speaker=speaker)


def edges(segments: tuple[Segment, ...]) -> list[tuple[float, float]]:
    return [(each.start, each.end) for each in segments]


def test_a_segment_lasts_as_long_as_its_turn() -> None:
    turns = [Turn(start=0.8, end=2.6, speaker="A")]

    assert edges(reach_to_turns([segment(1.0, 2.0)], turns)) == [(0.8, 2.6)]


def test_a_segment_reaches_no_further_than_a_second() -> None:
    turns = [Turn(start=0.0, end=60.0, speaker="A")]

    assert edges(reach_to_turns([segment(30.0, 31.0)], turns)) == [
        (30.0 - REACH_SECONDS, 31.0 + REACH_SECONDS)
    ]


def test_two_sentences_of_one_turn_meet_where_the_second_starts() -> None:
    turns = [Turn(start=0.0, end=5.0, speaker="A")]

    found = reach_to_turns([segment(0.1, 2.0), segment(2.5, 4.9, number=1)], turns)

    assert edges(found) == [(0.0, 2.5), (2.5, 5.0)]


def test_where_two_people_talk_at_once_their_segments_overlap() -> None:
    turns = [Turn(start=0.0, end=3.0, speaker="A"), Turn(start=2.0, end=5.0, speaker="B")]

    found = reach_to_turns([segment(0.0, 2.4), segment(2.5, 5.0, "B", 1)], turns)

    assert edges(found) == [(0.0, 3.0), (2.0, 5.0)]


def test_a_segment_of_nobody_or_outside_every_turn_stays_as_it_is() -> None:
    turns = [Turn(start=10.0, end=12.0, speaker="A")]
    segments = [segment(0.0, 1.0), segment(11.0, 11.5, None, 1)]

    assert edges(reach_to_turns(segments, turns)) == [(0.0, 1.0), (11.0, 11.5)]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[Segment], list[Turn]]:
    starts = sorted(draw(st.lists(times, max_size=12)))
    segments = [
        segment(
            start,
            round(start + draw(times) / 10, 3),
            draw(st.sampled_from(["A", "B", None])),
            number,
        )
        for number, start in enumerate(starts)
    ]
    turns = []
    for speaker in "AB":
        marks = sorted(draw(st.lists(times, max_size=8, unique=True)))
        pairs = zip(marks[::2], marks[1::2], strict=False)
        turns += [Turn(start=start, end=end, speaker=speaker) for start, end in pairs]
    return segments, sorted(turns, key=lambda turn: turn.start)


@given(scenes())
def test_segments_only_grow_stay_in_order_and_never_far(
    scene: tuple[list[Segment], list[Turn]],
) -> None:
    segments, turns = scene

    found = reach_to_turns(segments, turns)

    assert [each.id for each in found] == [each.id for each in segments]
    starts = [each.start for each in found]
    assert starts == sorted(starts)
    for before, after in zip(segments, found, strict=True):
        assert before.start - REACH_SECONDS - 1e-3 <= after.start <= before.start
        assert before.end <= after.end <= before.end + REACH_SECONDS + 1e-3
