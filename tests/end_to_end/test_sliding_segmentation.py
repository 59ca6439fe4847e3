"""The windows of long silences are not looked at, and nothing else changes."""

import warnings
import wave
from typing import Any

import numpy as np
import pytest

from deploy.local.sample import sample_call
from jobs.errors import ModelUnavailable
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.waveform import SAMPLE_RATE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of torchcodec, which we do not decode with
    import torch
    from pyannote.audio import Inference

    from pipeline.bundled_diarizer import load_segmentation
    from pipeline.sliding_segmentation import between, segment


@pytest.fixture(scope="module")
def inference() -> Inference:
    try:
        weights = locate("segmentation-3.0", PipelineSettings()) / "pytorch_model.bin"
    except ModelUnavailable as error:
        pytest.skip(f"no weights: {error}")
    return Inference(
        load_segmentation(weights), duration=10.0, step=1.0, skip_aggregation=True, batch_size=4
    )


@pytest.fixture(scope="module")
def call() -> torch.Tensor:
    with wave.open(str(sample_call())) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return torch.from_numpy(samples.astype(np.float32) / 2**15)[None]


def noise(seconds: float) -> torch.Tensor:
    random = np.random.default_rng(0)
    samples = random.normal(0, 1e-4, (1, round(seconds * SAMPLE_RATE)))
    return torch.from_numpy(samples.astype(np.float32))


def looked_at(inference: Inference, waveform: torch.Tensor) -> tuple[Any, list[int]]:
    """Segment a waveform; returns what was found and how many windows each batch held."""
    batches: list[int] = []
    watch = inference.model.register_forward_pre_hook(
        lambda _, given: batches.append(len(given[0]))
    )
    try:
        return segment(inference, waveform, hook=None), batches
    finally:
        watch.remove()


@pytest.mark.parametrize("seconds", [0.1, 9.99, 10.0, 10.01, 12.0, 30.0])
def test_of_speech_every_window_is_as_pyannote_finds_it(
    inference: Inference, call: torch.Tensor, seconds: float
) -> None:
    sound = call[:, : round(seconds * SAMPLE_RATE)]
    theirs = inference.slide(sound, SAMPLE_RATE, hook=None)

    ours = segment(inference, sound, hook=None)

    assert ours.data.shape == theirs.data.shape
    frames = ours.sliding_window, theirs.sliding_window
    assert len({(each.start, each.duration, each.step) for each in frames}) == 1
    assert (ours.data == theirs.data).mean() > 0.999  # batches of another size round otherwise


def test_a_long_silence_is_looked_at_twice_a_window_and_is_as_pyannote_finds_it(
    inference: Inference, call: torch.Tensor
) -> None:
    sound = torch.cat([call, noise(120), call], dim=1)
    theirs = inference.slide(sound, SAMPLE_RATE, hook=None)

    ours, batches = looked_at(inference, sound)

    assert (ours.data == theirs.data).mean() > 0.999
    assert ours.data[:25].any()
    assert ours.data[-25:].any()
    assert sum(batches) < 90  # of 171
    assert max(batches) <= 4


def test_speech_of_a_second_in_a_long_silence_is_not_missed(
    inference: Inference, call: torch.Tensor
) -> None:
    said = call[:, 7 * SAMPLE_RATE : 8 * SAMPLE_RATE]
    for before in (18.0, 20.3, 22.6):
        sound = torch.cat([noise(before), said, noise(20)], dim=1)
        theirs = inference.slide(sound, SAMPLE_RATE, hook=None)

        assert (segment(inference, sound, hook=None).data == theirs.data).mean() > 0.999


def test_progress_rises_to_all_windows(inference: Inference, call: torch.Tensor) -> None:
    told: list[tuple[int, int]] = []

    sound = torch.cat([call, noise(60)], dim=1)
    segment(inference, sound, hook=lambda *, completed, total: told.append((completed, total)))
    done = [completed for completed, _ in told]

    assert done == sorted(done)
    assert {total for _, total in told} == {81}
    assert done[-1] == 81


def test_what_is_between_is_looked_at_if_somebody_talks_on_a_side() -> None:
    first = np.array([0, 5, 10, 15, 16])

    assert between(first, np.array([0, 0, 1, 0, 0]) > 0).tolist() == [6, 7, 8, 9, 11, 12, 13, 14]
    assert between(first, np.array([0, 0, 0, 0, 1]) > 0).tolist() == []
    assert between(first[:1], np.array([True])).tolist() == []
