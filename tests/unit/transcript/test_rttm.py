from transcript.renderings import render
from transcript.transcript import Transcript, Turn


def test_turns_come_back_from_rttm_with_their_speakers_and_overlap() -> None:
    turns = (
        Turn(start=0.5, end=2.25, speaker="SPEAKER_00"),
        Turn(start=2.0, end=3601.001, speaker="SPEAKER_01"),
    )
    transcript = Transcript(text="", language=None, duration=3700.0, turns=turns)

    lines = [line.split() for line in render(transcript, "rttm").decode().splitlines()]

    assert all(line[0] == "SPEAKER" and len(line) == 10 for line in lines)
    found = [(float(line[3]), float(line[3]) + float(line[4]), line[7]) for line in lines]
    assert found == [(turn.start, turn.end, turn.speaker) for turn in turns]


def test_without_speakers_rttm_is_empty() -> None:
    assert render(Transcript(text="", language=None, duration=1.0), "rttm") == b""
