"""Make words as they were said, and windows as they were heard."""

from pipeline.speech import HeardWindow, Span, SpokenWord, Window
from transcript.transcript import Segment


def heard(language: str = "en", avg_logprob: float = -0.2) -> HeardWindow:
    """Half a minute that was heard."""
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
