"""Probabilities of speech become spans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.voice_activity import FRAME_SECONDS, MAX_SPAN_SECONDS, PAD_SECONDS, spans_of


def probabilities(*pieces: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Join pieces of (probability, seconds)."""
    return np.concatenate(
        [np.full(round(seconds / FRAME_SECONDS), level, np.float32) for level, seconds in pieces]
    )


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0.1, 40)), min_size=1, max_size=20))
def test_spans_are_in_order_inside_the_media_and_never_too_long(
    pieces: list[tuple[float, float]],
) -> None:
    frames = probabilities(*pieces)
    seconds = len(frames) * FRAME_SECONDS - 0.01

    spans = spans_of(frames, seconds=seconds)

    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= seconds for edge in edges)
    assert all(span.end - span.start <= MAX_SPAN_SECONDS + 2 * PAD_SECONDS for span in spans)


def test_a_span_starts_at_the_onset_and_lasts_to_the_offset() -> None:
    frames = probabilities((0.1, 1.0), (0.9, 1.0), (0.4, 1.0), (0.1, 1.0))

    (span,) = spans_of(frames, seconds=4.0)

    assert span.start == pytest.approx(1.0 - PAD_SECONDS, abs=FRAME_SECONDS)
    assert span.end == pytest.approx(3.0 + PAD_SECONDS, abs=FRAME_SECONDS)


def test_short_pauses_are_closed_and_long_ones_kept() -> None:
    short = probabilities((0.9, 1.0), (0.1, 0.1), (0.9, 1.0))
    long = probabilities((0.9, 1.0), (0.1, 0.4), (0.9, 1.0))

    assert len(spans_of(short, seconds=2.1)) == 1
    assert len(spans_of(long, seconds=2.4)) == 2


def test_a_click_is_no_speech() -> None:
    assert spans_of(probabilities((0.1, 1.0), (0.9, 0.064), (0.1, 1.0)), seconds=2.0) == ()


def test_a_monologue_is_cut_where_speech_is_least_likely() -> None:
    frames = probabilities((0.9, 20.0), (0.5, 0.1), (0.9, 20.0))

    first, second = spans_of(frames, seconds=40.1)

    assert first.end == second.start == pytest.approx(20.0, abs=0.1)
