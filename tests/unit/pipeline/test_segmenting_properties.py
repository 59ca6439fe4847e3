import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.segmenting import MAX_SEGMENT_SECONDS, segments
from pipeline.speech import SpokenWord
from tests.unit.pipeline.words_made import heard, texts


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
