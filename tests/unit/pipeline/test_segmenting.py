import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.segmenting import MAX_SEGMENT_SECONDS, segments, speakers
from pipeline.speech import HeardWindow, Span, SpokenWord, Window
from transcript.transcript import Segment


def heard(language: str = "en", avg_logprob: float = -0.2) -> HeardWindow:
    return HeardWindow(
        window=Window(start=0.0, end=30.0, spans=(Span(start=0.0, end=30.0),)),
        language=language,
        words=(),
        avg_logprob=avg_logprob,
        no_speech_prob=0.01,
        compression_ratio=1.5,
        temperature=0.0,
    )


def say(
    text: str,
    *,
    start: float = 0.0,
    seconds: float = 0.4,
    speaker: str | None = "A",
    window: int = 0,
) -> list[SpokenWord]:
    """Say words one after the other; a `|` in front of a word is a pause of three seconds."""
    words = []
    for word in text.split(" "):
        if word.startswith("|"):
            start += 3.0
        words.append(
            SpokenWord(
                text=f" {word.lstrip('|')}",
                start=start,
                end=start + seconds,
                score=0.9,
                window=window,
                speaker=speaker,
            )
        )
        start += seconds
    return words


def texts(found: tuple[Segment, ...]) -> list[str]:
    return [segment.text for segment in found]


def squeezed(text: str) -> str:
    return "".join(text.split())


word_texts = st.one_of(
    st.sampled_from(
        [
            " the",
            " a,",
            " end.",
            " Then",
            " Mr.",
            " what?",
            "…",
            " -",
            "",
            " ",
            " 3.",
            "5",
            "好",
            "。",
        ]
    ),
    st.text(max_size=5),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[SpokenWord]:
    words: list[SpokenWord] = []
    clock, window = 0.0, 0
    for text in draw(st.lists(word_texts, max_size=60)):
        clock += draw(st.sampled_from([0.0, 0.0, 0.1, 0.7, 2.5]))
        end = clock + draw(st.floats(0, 2))
        window = min(2, window + draw(st.sampled_from([0, 0, 0, 1])))
        speaker = draw(st.sampled_from(["A", "A", "A", "B", None]))
        score = draw(st.one_of(st.none(), st.floats(0, 1)))
        words.append(
            SpokenWord(text=text, start=clock, end=end, score=score, window=window, speaker=speaker)
        )
        clock = end
    return words


WINDOWS = [heard(), heard("en", -0.5), heard("zh", math.nan)]


@given(conversations())
def test_no_character_is_lost_and_their_order_is_kept(words: list[SpokenWord]) -> None:
    found = segments(words, WINDOWS)

    assert squeezed("".join(texts(found))) == squeezed("".join(word.text for word in words))
    for segment in found:
        assert squeezed("".join(word.word for word in segment.words)) == squeezed(segment.text)
        assert segment.text == segment.text.strip() != ""
        assert all(word.word == word.word.strip() != "" for word in segment.words)


@given(conversations())
def test_a_segment_has_one_speaker(words: list[SpokenWord]) -> None:
    for segment in segments(words, WINDOWS):
        known = {word.speaker for word in segment.words} - {None}
        assert known == ({segment.speaker} if segment.speaker else set())


@given(conversations())
def test_no_segment_is_too_long(words: list[SpokenWord]) -> None:
    for segment in segments(words, WINDOWS):
        # Both ends are rounded.
        assert len(segment.words) == 1 or segment.end - segment.start <= MAX_SEGMENT_SECONDS + 0.002


@given(conversations())
def test_segments_are_numbered_and_ordered_and_hold_their_words(words: list[SpokenWord]) -> None:
    found = segments(words, WINDOWS)

    assert [segment.id for segment in found] == list(range(len(found)))
    for before, segment in pairwise(found):
        assert before.start <= segment.start
    for segment in found:
        assert segment.start <= segment.end
        assert round(segment.start, 3) == segment.start
        assert round(segment.end, 3) == segment.end
        for word in segment.words:
            assert segment.start <= word.start <= word.end <= segment.end


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
