"""Text is heard as soon as it is recognised, in order, and all of it."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.batching import BLOCK_BATCHES
from pipeline.pipeline import Pipeline
from pipeline.progress import HeardText
from pipeline.settings import PipelineSettings
from pipeline.waveform import SAMPLE_RATE
from tests.media_made import write

OPTIONS = TranscriptionOptions(model="tiny.en", language="en", diarize=False)
# Seconds of the sample call. Long windows first and last: those of like length are far apart.
PIECES = ((6.6, 16.0), (6.6, 9.0), (6.6, 9.0), (16.5, 30.0), (6.6, 9.0), (6.6, 12.0)) * 2
PAUSE_SECONDS = 30.0  # no two pieces fit in one window


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(PipelineSettings(device="cpu", batch_size=2, hf_hub_offline=True))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech with long pauses: more windows than are reordered at once."""
    from faster_whisper.audio import decode_audio

    call = decode_audio(str(files("pyannote").joinpath("audio/sample/sample.wav")))
    noise = np.random.default_rng(0).standard_normal(round(PAUSE_SECONDS * SAMPLE_RATE))
    pause = (0.001 * noise).astype(np.float32)
    parts = [
        part
        for start, end in PIECES
        for part in (call[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], pause)
    ]
    samples = np.concatenate(parts)[np.newaxis]
    path = tmp_path_factory.mktemp("media") / "long.wav"
    return write(path, samples, codec="pcm_s16le", rate=SAMPLE_RATE)


def test_the_texts_heard_are_the_transcript_in_order_of_time(
    pipeline: Pipeline, media: Path
) -> None:
    assert len(PIECES) > BLOCK_BATCHES * 2
    heard: list[HeardText] = []
    heard_in: list[Stage] = []
    stages: list[Stage] = []

    def note(text: HeardText) -> None:
        heard.append(text)
        heard_in.append(stages[-1])

    transcript = pipeline.run(media, OPTIONS, lambda stage, _: stages.append(stage), on_heard=note)

    assert "".join(each.text for each in heard).strip() == transcript.text
    assert len(heard) > BLOCK_BATCHES * 2
    assert all(each.text.startswith(" ") for each in heard)
    edges = [edge for each in heard for edge in (each.start, each.end)]
    assert edges == sorted(edges)
    assert set(heard_in) == {Stage.TRANSCRIBE}
    assert heard[0].start < transcript.segments[0].words[0].end
    assert transcript.segments[-1].words[-1].start < heard[-1].end


def test_the_beginning_is_heard_long_before_the_end_is_recognised(
    pipeline: Pipeline, media: Path
) -> None:
    fractions: list[float] = [0.0]
    first: list[float] = []

    pipeline.run(
        media,
        OPTIONS,
        lambda stage, fraction: fractions.append(fraction),
        on_heard=lambda text: first.append(fractions[-1]),
    )

    assert first[0] < 0.3
    assert first == sorted(first)


def test_what_a_listener_raises_ends_the_run(pipeline: Pipeline, media: Path) -> None:
    class Withdrawn(Exception):
        pass

    withdrawn = Withdrawn()
    calls: list[HeardText] = []

    def withdraw(text: HeardText) -> None:
        calls.append(text)
        raise withdrawn

    with pytest.raises(Withdrawn) as raised:
        pipeline.run(media, OPTIONS, on_heard=withdraw)

    assert raised.value is withdrawn
    assert len(calls) == 1


def test_a_clip_is_heard_on_the_medias_own_clock(pipeline: Pipeline, media: Path) -> None:
    second = PIECES[0][1] - PIECES[0][0] + PAUSE_SECONDS  # where the second piece begins
    heard: list[HeardText] = []
    options = OPTIONS.model_copy(update={"clip_start": second - 5.25, "clip_end": second + 10})

    transcript = pipeline.run(media, options, on_heard=heard.append)

    assert "hello" in transcript.text.lower()
    (only,) = heard
    segment = transcript.segments[0]
    for start in (only.start, segment.start, segment.words[0].start):
        assert start == pytest.approx(second, abs=0.5)
    assert transcript.duration == second + 10
