"""Windows hold all the speech, and fit Whisper."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.speech import WINDOW_SECONDS, Span, Window
from pipeline.waveform import SAMPLE_RATE
from pipeline.windows import PAD_SECONDS, samples_of, windows_of

TOLERANCE = 1e-6  # seconds


@st.composite
def spans_in_order(draw: st.DrawFn, longest: float = 29.0) -> tuple[Span, ...]:
    spans = []
    time = 0.0
    lengths = st.floats(0.1, longest)
    for pause, length in draw(st.lists(st.tuples(st.floats(0.0, 40.0), lengths), max_size=40)):
        spans.append(Span(start=time + pause, end=time + pause + length))
        time = spans[-1].end
    return tuple(spans)


def media_seconds(spans: tuple[Span, ...]) -> float:
    return spans[-1].end + 0.1 if spans else 10.0


@given(spans_in_order(longest=100.0))
def test_no_window_is_longer_than_whisper_hears(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans, media_seconds=media_seconds(spans))

    assert all(window.end - window.start <= WINDOW_SECONDS + TOLERANCE for window in windows)


@given(spans_in_order())
def test_every_span_is_in_exactly_one_window(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans, media_seconds=media_seconds(spans))

    assert tuple(span for window in windows for span in window.spans) == spans
    for window in windows:
        assert window.start <= window.spans[0].start
        assert window.spans[-1].end <= window.end


@given(spans_in_order(longest=100.0))
def test_a_span_that_is_too_long_is_divided_without_loss(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans, media_seconds=media_seconds(spans))

    speech = sum(span.end - span.start for window in windows for span in window.spans)
    assert speech == pytest.approx(sum(span.end - span.start for span in spans))


@given(spans_in_order(longest=100.0))
def test_windows_are_in_order_and_never_overlap(spans: tuple[Span, ...]) -> None:
    seconds = media_seconds(spans)
    windows = windows_of(spans, media_seconds=seconds)

    edges = [edge for window in windows for edge in (window.start, window.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= seconds for edge in edges)


@given(spans_in_order())
def test_windows_are_as_full_as_they_can_be(spans: tuple[Span, ...]) -> None:
    windows = windows_of(spans, media_seconds=media_seconds(spans))

    for window, following in pairwise(windows):
        with_one_more = following.spans[0].end - window.spans[0].start
        assert with_one_more > WINDOW_SECONDS - 2 * PAD_SECONDS - TOLERANCE


def test_without_speech_there_are_no_windows() -> None:
    assert windows_of((), media_seconds=60.0) == ()


def test_a_window_is_padded_but_not_into_its_neighbours_speech() -> None:
    spans = (Span(start=1.0, end=29.0), Span(start=29.1, end=40.0))

    first, second = windows_of(spans, media_seconds=100.0)

    assert first.start == pytest.approx(0.9)
    assert first.end == second.start == pytest.approx(29.05)
    assert second.end == pytest.approx(40.1)


def test_quiet_samples_are_raised_and_loud_ones_left_alone() -> None:
    tone = np.sin(np.arange(2 * SAMPLE_RATE) / 20).astype(np.float32)
    window = Window(start=0.5, end=1.5, spans=(Span(start=0.6, end=1.4),))

    quiet = samples_of(tone * np.float32(0.001), window)
    loud = samples_of(tone * np.float32(0.5), window)

    assert quiet.shape == loud.shape == (SAMPLE_RATE,)
    assert np.abs(quiet).max() == pytest.approx(0.25, rel=0.01)
    assert np.abs(loud).max() == pytest.approx(0.5, rel=0.01)


def test_one_click_does_not_keep_quiet_samples_quiet() -> None:
    tone = (0.001 * np.sin(np.arange(2 * SAMPLE_RATE) / 20)).astype(np.float32)
    tone[SAMPLE_RATE] = 0.9

    raised = samples_of(tone, Window(start=0, end=2, spans=(Span(start=0, end=2),)))

    assert np.abs(raised[:1000]).max() > 0.2
    assert np.abs(raised).max() <= 1.0


def test_samples_are_a_copy_of_a_read_only_waveform() -> None:
    waveform = np.full(SAMPLE_RATE, 0.01, dtype=np.float32)
    waveform.setflags(write=False)

    samples_of(waveform, Window(start=0, end=1, spans=(Span(start=0, end=1),)))

    assert waveform.max() == np.float32(0.01)
