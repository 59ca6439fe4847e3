from pipeline.channels import label_of, merged, turns_of
from pipeline.speech import Span, Turn
from transcript.transcript import Segment


def segment(number: int, start: float, text: str) -> Segment:
    return Segment(id=number, start=start, end=start + 1, text=text)


def test_a_channel_is_named_by_its_number_whoever_speaks_first() -> None:
    turns = turns_of([[Span(start=5, end=6)], [], [Span(start=1, end=9)]])

    assert turns == (
        Turn(start=1, end=9, speaker="SPEAKER_02"),
        Turn(start=5, end=6, speaker="SPEAKER_00"),
    )
    assert label_of(7) == "SPEAKER_07"


def test_segments_of_all_channels_are_one_list_by_start() -> None:
    together = merged(
        [[segment(0, 0.0, "a"), segment(1, 4.0, "c")], [segment(0, 2.0, "b"), segment(1, 4.0, "d")]]
    )

    assert [each.text for each in together] == ["a", "b", "c", "d"]
    assert [each.id for each in together] == [0, 1, 2, 3]
