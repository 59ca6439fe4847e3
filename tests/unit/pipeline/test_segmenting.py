import math

import pytest

from pipeline.segmenting import MAX_SEGMENT_SECONDS, segments, speakers
from pipeline.speech import SpokenWord
from tests.unit.pipeline.words_made import heard, say, texts


def test_nothing_said_is_no_segment() -> None:
    assert segments([], []) == ()


def test_a_sentence_is_a_segment() -> None:
    found = segments(say("Hello there, Mr. Smith. How are you? Fine!"), [heard()])

    assert texts(found) == ["Hello there, Mr. Smith.", "How are you?", "Fine!"]


def test_a_long_pause_ends_a_segment() -> None:
    assert texts(segments(say("so then |we went"), [heard()])) == ["so then", "we went"]


def test_a_change_of_speaker_ends_a_segment() -> None:
    words = say("I think that") + say("no way", start=1.2, speaker="B")

    found = segments(words, [heard()])

    assert [(segment.speaker, segment.text) for segment in found] == [
        ("A", "I think that"),
        ("B", "no way"),
    ]


def test_an_unknown_speaker_amid_a_sentence_does_not_split_it() -> None:
    words = say("I think") + say("that", start=0.8, speaker=None) + say("works.", start=1.2)

    (segment,) = segments(words, [heard()])

    assert segment.speaker == "A"
    assert [word.speaker for word in segment.words] == ["A", "A", None, "A"]


def test_an_unknown_speaker_just_before_another_joins_that_one() -> None:
    words = say("I think") + say("that", start=1.9, speaker=None)
    words += say("no way", start=2.3, speaker="B")

    assert texts(segments(words, [heard()])) == ["I think", "that no way"]


def test_an_unknown_speaker_between_two_joins_the_nearer_in_time() -> None:
    words = (
        say("I think")
        + say("that", start=0.9, speaker=None)
        + say("no way", start=2.3, speaker="B")
    )

    assert texts(segments(words, [heard()])) == ["I think that", "no way"]


def test_a_sentence_of_an_unknown_speaker_stays_unknown() -> None:
    words = say("Yes.") + say("Who knows?", start=0.5, speaker=None) + say("Me.", start=1.5)

    assert [segment.speaker for segment in segments(words, [heard()])] == ["A", None, "A"]


def test_a_sentence_goes_on_from_window_to_window() -> None:
    words = say("and then the") + say("end of it.", start=1.5, window=1)

    (segment,) = segments(words, [heard(), heard()])

    assert segment.text == "and then the end of it."


def test_windows_are_not_glued_together_where_whisper_left_out_the_space() -> None:
    first = say("and then")
    second = SpokenWord(text="the end", start=0.8, end=1.2, score=None, window=1, speaker="A")

    assert texts(segments([*first, second], [heard(), heard()])) == ["and then the end"]


def test_chinese_windows_are_joined_without_a_space() -> None:
    words = [
        SpokenWord(text="你好", start=0.0, end=0.5, score=None, window=0),
        SpokenWord(text="吗", start=0.6, end=0.9, score=None, window=1),
    ]

    assert texts(segments(words, [heard("zh"), heard("zh")])) == ["你好吗"]


def test_another_language_is_another_segment() -> None:
    words = say("and then") + say("und dann", start=0.8, window=1)

    assert texts(segments(words, [heard("en"), heard("de")])) == ["and then", "und dann"]


def test_a_long_sentence_is_cut_at_a_comma() -> None:
    words = say(" ".join(["word"] * 21 + ["here,"] + ["word"] * 20 + ["end."]))

    found = segments(words, [heard()])

    assert len(found) == 2
    assert found[0].text.endswith("here,")


def test_a_long_sentence_without_commas_is_cut_at_its_longest_pause() -> None:
    first = say(" ".join(["one"] * 18))
    second = say(" ".join(["two"] * 24), start=first[-1].end + 0.8)

    found = segments(first + second, [heard()])

    assert [set(segment.text.split()) for segment in found] == [{"one"}, {"two"}]


def test_a_cut_leaves_no_single_word_behind() -> None:
    words = say(" ".join(["word"] * 36 + ["here,", "end."]))  # 15.2 s

    found = segments(words, [heard()])

    assert min(len(segment.words) for segment in found) > 1


def test_an_endless_sentence_is_cut_into_even_parts() -> None:
    found = segments(say(" ".join(["word"] * 1000)), [heard()])

    lengths = [segment.end - segment.start for segment in found]
    assert max(lengths) <= MAX_SEGMENT_SECONDS
    assert min(lengths) > MAX_SEGMENT_SECONDS / 2


def test_a_word_longer_than_a_segment_is_left_whole() -> None:
    words = say("stretched", seconds=40.0)

    (segment,) = segments(words, [heard()])

    assert segment.end == 40.0


def test_punctuation_alone_joins_the_word_before_it() -> None:
    (segment,) = segments(say("well … yes"), [heard()])

    assert [word.word for word in segment.words] == ["well …", "yes"]
    assert segment.words[0].end == 0.4


def test_an_opening_mark_alone_joins_the_word_behind_it() -> None:
    (segment,) = segments(say("he said ( quietly )"), [heard()])

    assert [word.word for word in segment.words] == ["he", "said", "( quietly )"]


def test_an_opening_mark_at_the_very_end_is_kept() -> None:
    assert texts(segments(say("he said ("), [heard()])) == ["he said ("]


def test_the_dash_of_a_dialogue_opens_the_next_line() -> None:
    assert texts(segments(say("- Yes. - No."), [heard()])) == ["- Yes.", "- No."]


def test_the_number_of_a_list_item_stays_with_it() -> None:
    assert texts(segments(say("1. Open it. 2. Close it."), [heard()])) == [
        "1. Open it.",
        "2. Close it.",
    ]


def test_a_segment_tells_what_whisper_says_of_its_window() -> None:
    words = say("and then the") + say("end.", start=1.5, window=1)

    (segment,) = segments(words, [heard(avg_logprob=-0.5), heard(avg_logprob=-0.1)])

    assert segment.avg_logprob == -0.5
    assert segment.confidence == pytest.approx(math.exp(-0.5))
    assert (segment.no_speech_prob, segment.compression_ratio, segment.temperature) == (
        0.01,
        1.5,
        0.0,
    )


def test_what_is_no_number_is_left_out() -> None:
    (segment,) = segments(say("hi"), [heard(avg_logprob=math.nan)])

    assert segment.avg_logprob is None
    assert segment.confidence is None


def test_speakers_are_summed_up_in_order_of_appearance() -> None:
    words = (
        say("One.", speaker="S1")
        + say("Two.", start=1.0, speaker="S0")
        + say("Three.", start=2.0, speaker="S1")
        + say("Four.", start=3.0, speaker=None)
    )
    embeddings = {"S0": (0.5, 0.25), "S2": (1.0, 1.0)}

    found = speakers(segments(words, [heard()]), embeddings)

    assert [(speaker.label, speaker.seconds, speaker.embedding) for speaker in found] == [
        ("S1", 0.8, None),
        ("S0", 0.4, (0.5, 0.25)),
    ]
