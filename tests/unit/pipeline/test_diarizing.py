import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.diarizing import never_overlapping
from pipeline.speech import Turn


def turn(start: float, end: float, speaker: str) -> Turn:
    return Turn(start=start, end=end, speaker=speaker)


def test_who_cuts_in_has_the_word_until_done() -> None:
    found = never_overlapping([turn(0, 5, "A"), turn(2, 3, "B")])

    assert found == [turn(0, 2, "A"), turn(2, 3, "B"), turn(3, 5, "A")]


def test_turns_that_do_not_overlap_stay_as_they_are() -> None:
    turns = [turn(0, 1, "A"), turn(1, 2, "B"), turn(3, 4, "A")]

    assert never_overlapping(turns) == turns


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.sampled_from("ABC")), max_size=12)
)
def test_every_instant_keeps_one_of_its_speakers(spans: list[tuple[int, int, str]]) -> None:
    turns = [turn(start, start + length, who) for start, length, who in spans]

    found = never_overlapping(turns)

    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    for instant in range(72):
        here = {t.speaker for t in turns if t.start <= instant < t.end}
        alone = [t.speaker for t in found if t.start <= instant < t.end]
        assert len(alone) == min(len(here), 1)
        assert here.issuperset(alone)
