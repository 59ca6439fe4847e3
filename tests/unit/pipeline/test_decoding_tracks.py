from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.tracks import _promised, is_surely_longer, origin


def container(*, seconds: float | None, start: float | None = None, film: bool = False) -> Any:
    """As much of a container as a header says, without FFmpeg."""
    types = ["audio", "video"] if film else ["audio"]
    return SimpleNamespace(
        duration=None if seconds is None else round(seconds * 1_000_000),
        start_time=None if start is None else round(start * 1_000_000),
        streams=[SimpleNamespace(type=kind) for kind in types],
    )


def track(*, seconds: float | None = None, start: float | None = None, codec: str = "aac") -> Any:
    return SimpleNamespace(
        duration=None if seconds is None else round(seconds * 16_000),
        start_time=None if start is None else round(start * 16_000),
        time_base=Fraction(1, 16_000),
        codec_context=SimpleNamespace(
            codec=SimpleNamespace(canonical_name=codec), bit_rate=256_000
        ),
    )


@pytest.mark.parametrize(
    ("whole", "sound", "film", "promised"),
    [
        (10.0, 8.0, True, 8.0),  # a film whose sound ends early
        (5.0, 100.0, False, 5.0),  # an edit list leaves most of the track out
        (None, 8.0, False, 8.0),
        (10.0, None, False, 10.0),
        (10.0, None, True, None),  # which of the tracks lasts that long is not said
        (None, None, False, None),
    ],
)
def test_a_header_promises_what_would_be_played(
    whole: float | None, sound: float | None, *, film: bool, promised: float | None
) -> None:
    assert _promised(container(seconds=whole, film=film), track(seconds=sound)) == promised


def test_a_players_clock_starts_with_the_container() -> None:
    assert origin(container(seconds=1, start=1.4), track(start=3.0)) == pytest.approx(1.4)
    assert origin(container(seconds=1), track(start=3.0)) == pytest.approx(3.0)
    assert origin(container(seconds=1), track()) is None


@pytest.mark.parametrize(
    ("codec", "seconds", "media_bytes", "refused"),
    [
        ("pcm_s16le", 100.0, 3_200_044, True),
        ("pcm_s16le", 100.0, 2_000_000, False),  # its bytes are not there: a cut recording
        ("pcm_s16le", 50.0, 3_200_044, False),
        ("pcm_s16le", None, 3_200_044, False),
        ("flac", 100.0, 3_200_044, False),  # only decoding tells
    ],
)
def test_only_a_header_that_its_bytes_bear_out_is_believed(
    codec: str, seconds: float | None, media_bytes: int, *, refused: bool
) -> None:
    found = is_surely_longer(track(codec=codec), seconds, 60.0, media_bytes=media_bytes)

    assert found is refused
