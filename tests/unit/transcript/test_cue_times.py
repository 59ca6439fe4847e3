from tests.unit.transcript.transcripts_made import spoken, transcript_of, worded
from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of
from transcript.transcript import Segment, Transcript

_PLAIN = CueOptions(speaker_labels=False)


def _lines(transcript: Transcript, options: CueOptions = _PLAIN) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues_of(transcript, options)]


def _times(cues: list[Cue]) -> list[tuple[float, float]]:
    return [(round(cue.start, 3), round(cue.end, 3)) for cue in cues]


def test_times_come_from_the_words() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    transcript = transcript_of(spoken(text, 10.0, 24.0))

    cues = cues_of(transcript, _PLAIN)
    words = dict(zip(text.split(), range(10, 24), strict=True))

    assert len(cues) == 2
    assert cues[0].start == words[cues[0].lines[0].split()[0]]
    assert cues[0].end == words[cues[0].lines[-1].split()[-1]] + 1
    assert cues[1].start == words[cues[1].lines[0].split()[0]]
    assert cues[1].end == 24.0


def test_without_words_the_text_shares_the_time() -> None:
    text = "a" * 19 + ". " + "b" * 19 + "."
    transcript = transcript_of(spoken(text, 10.0, 14.0, words=()))

    cues = cues_of(transcript, CueOptions(max_chars_per_line=20, max_lines_per_cue=1))

    assert [(round(cue.start, 1), round(cue.end, 1)) for cue in cues] == [
        (10.0, 12.0),
        (12.0, 14.0),
    ]


def test_what_no_word_covers_lies_between_its_neighbours() -> None:
    segment = Segment.model_validate(
        {
            "id": 0,
            "start": 0,
            "end": 10,
            "text": "first 25 € last",
            "words": [
                {"word": "first", "start": 1, "end": 2},
                {"word": "twenty-five", "start": 2, "end": 5},
                {"word": "last", "start": 5, "end": 6},
            ],
        }
    )
    cues = cues_of(transcript_of(segment), CueOptions(word_level=True, min_cue_seconds=0))

    assert [cue.lines for cue in cues] == [("first",), ("25",), ("€",), ("last",)]
    assert _times(cues) == [(1.0, 2.0), (2.0, 4.0), (4.0, 5.0), (5.0, 6.0)]


def test_a_word_outside_of_its_segment_shares_the_time_between_its_neighbours() -> None:
    segment = worded(("one", 5.0, 5.5), ("two", 900.0, 901.0), ("three", 6.0, 7.0))
    cues = cues_of(transcript_of(segment), CueOptions(word_level=True, min_cue_seconds=0))

    assert _times(cues) == [(5.0, 5.5), (5.5, 6.0), (6.0, 7.0)]


def test_two_who_speak_at_once_are_shown_one_after_the_other() -> None:
    first = "I was just about to say that we should leave"
    transcript = transcript_of(
        spoken(first, 0.0, 4.0, speaker="SPEAKER_00"),
        spoken("No, wait!", 1.5, 2.5, speaker="SPEAKER_01"),
        spoken("All right.", 6.0, 7.0, speaker="SPEAKER_00"),
    )
    cues = cues_of(transcript, CueOptions())

    assert [cue.speaker for cue in cues] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"]
    # The first is left on screen until it can be read, which keeps the other waiting.
    assert _times(cues) == [(0.0, 2.2), (2.2, 3.03), (6.0, 7.0)]


def test_nobody_is_kept_waiting_for_more_than_a_second() -> None:
    long = "word " * 16
    transcript = transcript_of(
        spoken(long, 0.0, 6.0, speaker="SPEAKER_00"),
        spoken(long, 0.5, 6.0, speaker="SPEAKER_01"),
        spoken(long, 20.0, 26.0, speaker="SPEAKER_01"),
    )
    cues = cues_of(transcript, _PLAIN)

    assert _times(cues)[1][0] == 1.5
    assert _times(cues)[2][0] == 20.0


def test_a_cue_never_joins_two_speakers() -> None:
    transcript = transcript_of(
        spoken("Yes.", 0.0, 0.2, speaker="SPEAKER_00"),
        spoken("No.", 0.2, 0.4, speaker="SPEAKER_01"),
    )

    assert _lines(transcript) == [("Yes.",), ("No.",)]


def test_a_cue_that_would_flash_by_joins_its_neighbour() -> None:
    transcript = transcript_of(
        spoken("Yes.", 0.0, 0.2, speaker="SPEAKER_00"),
        spoken("I can hear you.", 0.2, 1.4, speaker="SPEAKER_00"),
    )

    assert _lines(transcript) == [("Yes. I can hear you.",)]


def test_joined_chinese_gets_no_space() -> None:
    transcript = transcript_of(
        spoken("好。", 0.0, 0.2, words=()), spoken("我们走吧。", 0.2, 1.4, words=())
    )

    assert _lines(transcript) == [("好。我们走吧。",)]


def test_joined_korean_does() -> None:
    transcript = transcript_of(spoken("네", 0.0, 0.2), spoken("좋아요", 0.2, 1.4))

    assert _lines(transcript) == [("네 좋아요",)]


def test_words_whose_times_go_back_stay_in_the_order_of_the_text() -> None:
    segment = worded(("one", 0.0, 1.0), ("two", 5.0, 6.0), ("three", 2.0, 3.0), ("four", 7.0, 8.0))
    cues = cues_of(transcript_of(segment), CueOptions(word_level=True, min_cue_seconds=0))

    assert [cue.lines for cue in cues] == [("one",), ("two",), ("three",), ("four",)]


def test_a_short_cue_stays_while_there_is_room() -> None:
    transcript = transcript_of(
        spoken("Yes.", 1.0, 1.2), spoken("No.", 5.0, 5.1), spoken("Maybe.", 5.7, 9.0)
    )

    assert _times(cues_of(transcript, _PLAIN)) == [(1.0, 1.83), (5.0, 5.7), (5.7, 9.0)]


def test_a_fast_cue_stays_until_it_can_be_read() -> None:
    text = "This was said in one second, rather fast"
    transcript = transcript_of(spoken(text, 1.0, 2.0))

    assert len(text) == 40
    assert _times(cues_of(transcript, CueOptions(max_chars_per_second=10))) == [(1.0, 5.0)]
    assert _times(cues_of(transcript, CueOptions(max_chars_per_second=None))) == [(1.0, 2.0)]


def test_no_cue_lasts_longer_than_asked_for() -> None:
    transcript = transcript_of(worded(("Hello", 0.0, 0.5), ("there", 0.5, 60.0)))

    assert _times(cues_of(transcript, _PLAIN)) == [(0.0, 0.5), (0.5, 7.5)]


def test_segments_out_of_order_are_shown_by_time() -> None:
    transcript = transcript_of(spoken("Second.", 5.0, 7.0), spoken("First.", 1.0, 3.0))

    assert _lines(transcript) == [("First.",), ("Second.",)]


def test_every_word_can_be_a_cue() -> None:
    transcript = transcript_of(worded(("Hello,", 1.0, 1.4), ("world", 1.5, 1.9), ("-", 2.0, 2.0)))

    cues = cues_of(transcript, CueOptions(word_level=True, min_cue_seconds=0))

    assert [cue.lines for cue in cues] == [("Hello,",), ("world",), ("-",)]
    assert _times(cues) == [(1.0, 1.4), (1.5, 1.9), (2.0, 2.05)]


def test_times_beyond_what_any_reader_knows_do_no_harm() -> None:
    transcript = transcript_of(spoken("Eternity.", 1e306, 1e307), spoken("And on.", 1e306, 1e308))

    cues = cues_of(transcript, _PLAIN)

    assert [cue.lines for cue in cues] == [("Eternity. And on.",)]
    assert cues[0].end < 10_000 * 3600


def test_nothing_said_is_no_cue() -> None:
    silent = Segment(id=0, start=0, end=1, text=" \u2028\x00\u200b ")

    assert cues_of(transcript_of(), CueOptions()) == []
    assert cues_of(transcript_of(silent), CueOptions()) == []
