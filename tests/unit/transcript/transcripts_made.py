# ruff: noqa: RUF001 - Chinese punctuation looks like Latin
"""Make transcripts for tests: readable ones by hand, and any that a type allows by hypothesis."""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st

from transcript.transcript import Models, Segment, Speaker, Transcript, TranscriptWarning, Word

# The same examples in every run; a busy machine is no failure.
seeded = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def transcript_of(*segments: Segment, silence: float = 60.0) -> Transcript:
    """A transcript of media that goes on for some seconds after the last word."""
    return Transcript(
        text=" ".join(segment.text for segment in segments),
        language="en",
        duration=max((segment.end for segment in segments), default=0.0) + silence,
        segments=segments,
    )


def spoken(
    text: str,
    start: float,
    end: float,
    *,
    speaker: str | None = None,
    words: Sequence[str] | None = None,
) -> Segment:
    """A segment whose words, by default those between spaces, share its time evenly."""
    texts = text.split() if words is None else words
    step = (end - start) / max(1, len(texts))
    return Segment(
        id=0,
        start=start,
        end=end,
        text=text,
        speaker=speaker,
        words=tuple(
            Word(word=word, start=start + index * step, end=start + (index + 1) * step)
            for index, word in enumerate(texts)
        ),
    )


def worded(*words: tuple[str, float, float], speaker: str | None = None) -> Segment:
    """A segment of words with these times."""
    return Segment(
        id=0,
        start=words[0][1],
        end=words[-1][2],
        text=" ".join(text for text, _, _ in words),
        speaker=speaker,
        words=tuple(Word(word=text, start=start, end=end) for text, start, end in words),
    )


# What has broken subtitle files, beside plain words.
_HOSTILE = (
    "-->",
    "--->",
    "- ->",
    "00:00:01,000 --> 00:00:02,000",
    "WEBVTT",
    "NOTE",
    "42",
    "<b>",
    "</i>",
    "< u >",
    "<00:00:01.000>",
    "&amp;",
    "&lt;",
    "{\\an8}",
    "\\N",
    "\x00",
    "\ufeff",
    "\r\n\r\n",
    "\u2028",
    "\x85",
    "\x0b",
    "\u00a0",
    "\u200b",
    "\ud800",
    "👩‍👩‍👧",
    "e\u0301\u0302",
    "x" * 100,
    "今天天气很好，我们去公园。",
    "「はい」と言った。",
    "สวัสดีครับ",
    "한국어 문장입니다.",
    "Dr.",
    "end.",
    "clause,",
    "=1+1",
    "+4",
    "'-2",
    "a|b",
    "*bold*",
    "_it_",
    "`code`",
    "[x](y)",
    "#1",
    "$x$",
    'say "no",',
    "\ufffe",
    "\uffff",
    "مرحبا",
    "שלום",
)
_tokens = st.one_of(
    st.sampled_from(("the", "quick", "brown", "fox", "jumps")),
    st.sampled_from(_HOSTILE),
    st.text(alphabet=st.characters(exclude_categories=[]), min_size=1, max_size=8),
)
_times = st.one_of(
    st.floats(min_value=0, max_value=90),
    st.integers(min_value=0, max_value=20).map(float),
    st.sampled_from((0.0, 1.0005, 59.9996, 3599.9999, 99 * 3600.0, 360_000.25)),
)
_shares = st.none() | st.floats(min_value=0, max_value=1)
_speakers = st.none() | st.sampled_from(
    ("SPEAKER_00", "SPEAKER_01", "", "Ann\nO'Neil <b> --> \x00", "a label longer than half a line")
)


@st.composite
def _words(draw: st.DrawFn, text: str) -> tuple[Word, ...]:
    """Words of the text or others, at any time."""
    texts = draw(st.sampled_from((text.split(), text.split()[::2], list(text)[:20], [])))
    texts = draw(st.lists(_tokens, max_size=4)) if draw(st.integers(0, 4)) == 0 else texts
    return tuple(
        Word(
            word=text,
            start=draw(_times),
            end=draw(_times),
            score=draw(_shares),
            speaker=draw(_speakers),
        )
        for text in texts
    )


@st.composite
def _segments(draw: st.DrawFn) -> Segment:
    text = draw(st.sampled_from((" ", ""))).join(draw(st.lists(_tokens, max_size=20)))
    return Segment(
        id=draw(st.integers(0, 9)),
        start=draw(_times),
        end=draw(_times),
        text=text,
        speaker=draw(_speakers),
        words=draw(_words(text)),
        confidence=draw(_shares),
    )


@st.composite
def transcripts(draw: st.DrawFn, *, most: int = 3) -> Transcript:
    """Whatever the types allow: overlaps, times that go back, words that are not in the text."""
    return Transcript(
        text=draw(st.text(max_size=20)),
        language=draw(st.sampled_from(("en", None))),
        language_confidence=draw(_shares),
        duration=draw(_times),
        segments=tuple(draw(st.lists(_segments(), max_size=most))),
        speakers=tuple(
            Speaker(label=label, seconds=1.5, embedding=embedding)
            for label, embedding in (("SPEAKER_00", (0.1, -1e-300)), ("SPEAKER_01", None))
        ),
        models=Models(whisper="tiny.en"),
        warnings=(TranscriptWarning(code="no_aligner", stage="align", message="“why”"),),
    )
