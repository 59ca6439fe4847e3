import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.timeline import LEAP_SECONDS, TOLERANCE_SECONDS, Timeline


def test_frames_that_follow_each_other_need_no_silence() -> None:
    timeline = Timeline(origin=0.0)

    assert [timeline.silence_before(t / 10, 0.1) for t in range(100)] == [0.0] * 100
    assert timeline.seconds == pytest.approx(10.0)


def test_sound_that_starts_late_is_preceded_by_silence() -> None:
    timeline = Timeline(origin=10.0)

    assert timeline.silence_before(11.5, 0.1) == pytest.approx(1.5)
    assert timeline.seconds == pytest.approx(1.6)
    assert timeline.hole_seconds == 0.0


def test_a_clock_that_does_not_start_at_zero_is_no_silence() -> None:
    timeline = Timeline(origin=95_443.7)

    assert timeline.silence_before(95_443.7, 0.1) == 0.0


def test_without_an_origin_the_first_timestamp_is_zero() -> None:
    timeline = Timeline(origin=None)

    assert timeline.silence_before(7.0, 0.5) == 0.0
    assert timeline.silence_before(9.5, 0.5) == pytest.approx(2.0)


def test_a_hole_is_filled_once() -> None:
    timeline = Timeline(origin=0.0)
    timeline.silence_before(0.0, 1.0)

    assert timeline.silence_before(6.0, 1.0) == pytest.approx(5.0)
    assert timeline.silence_before(7.0, 1.0) == 0.0
    assert timeline.hole_seconds == pytest.approx(5.0)


def test_wavering_timestamps_are_no_holes() -> None:
    timeline = Timeline(origin=0.0)
    wavering = [0.0, 0.15, 0.14, 0.33, 0.38, 0.55]

    assert sum(timeline.silence_before(t, 0.1) for t in wavering[:5]) == 0.0
    assert TOLERANCE_SECONDS == 0.1


def test_frames_without_timestamps_follow_each_other() -> None:
    timeline = Timeline(origin=0.0)
    timeline.silence_before(0.0, 1.0)

    assert timeline.silence_before(None, 1.0) == 0.0
    assert timeline.seconds == pytest.approx(2.0)


@pytest.mark.parametrize("jump", [-50.0, LEAP_SECONDS + 100.0])
def test_a_clock_that_was_reset_goes_on_from_where_it_was(jump: float) -> None:
    timeline = Timeline(origin=0.0)
    timeline.silence_before(60.0, 1.0)

    assert timeline.silence_before(61.0 + jump, 1.0) == 0.0
    assert timeline.silence_before(62.0 + jump, 1.0) == 0.0
    assert timeline.silence_before(66.0 + jump, 1.0) == pytest.approx(3.0)
    assert timeline.resets == 1


@given(
    st.lists(
        st.tuples(st.none() | st.floats(-1e6, 1e6), st.floats(0.001, 10)), min_size=1, max_size=60
    ),
    st.none() | st.floats(-1e6, 1e6),
)
def test_time_never_goes_back_and_no_sound_is_dropped(
    frames: list[tuple[float | None, float]], origin: float | None
) -> None:
    timeline = Timeline(origin=origin)
    before = 0.0
    for timestamp, duration in frames:
        silence = timeline.silence_before(timestamp, duration)

        assert 0.0 <= silence <= LEAP_SECONDS
        assert timeline.seconds == pytest.approx(before + silence + duration)
        before = timeline.seconds
