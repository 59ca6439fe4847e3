"""Align with random weights: a batch hears what single windows hear, and no word is lost."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.stages import Stage
from pipeline.aligner_models import Aligner, load_aligner
from pipeline.aligning import align
from pipeline.speech import WordTime
from tests.integration.aligners_made import (
    KINDS,
    MadeUp,
    heard,
    hugging_face_weights,
    noise,
    numbers,
    seed_torch,
    torch,
    torchaudio_weights,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_torch()


@pytest.fixture(params=sorted(KINDS))
def hugging_face_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return hugging_face_weights(tmp_path, request.param)


@pytest.fixture(scope="module")
def torchaudio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return torchaudio_weights(tmp_path_factory.mktemp("aligner-en"))


@pytest.mark.parametrize("batch_size", [2, 3, 16])
def test_a_batch_hears_what_single_windows_hear(hugging_face_folder: Path, batch_size: int) -> None:
    aligner = load_aligner("nl", hugging_face_folder, device="cpu")
    windows = [heard(start, start + 0.5 + start, "een twee drie", "nl") for start in range(4)]

    together = align(noise(20), windows, aligner, batch_size=batch_size)

    alone = [align(noise(20), [window], aligner, batch_size=1)[0] for window in windows]
    for one, other in zip(together, alone, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), abs=1e-4)


def test_padded_hugging_face_logits_equal_those_of_the_whole_network(
    hugging_face_folder: Path,
) -> None:
    network: Any = load_aligner("nl", hugging_face_folder, device="cpu").network

    _assert_same_logits(network, lambda sound: network.model(sound).logits[0])


def test_padded_torchaudio_logits_equal_those_of_the_whole_network(torchaudio_folder: Path) -> None:
    network: Any = load_aligner("en", torchaudio_folder, device="cpu").network

    _assert_same_logits(network, lambda sound: network.model(sound)[0][0])


def _assert_same_logits(network: Any, whole_network: Callable[[Any], Any]) -> None:
    sounds = [torch.from_numpy(noise(seconds, seed=3)) for seconds in (0.7, 1.6)]
    with torch.inference_mode():
        features = [network.features(sound) for sound in sounds]
        lengths = torch.tensor([len(frames) for frames in features])
        padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
        logits = network.logits(padded, lengths)
        for sound, logit, length in zip(sounds, logits, lengths, strict=True):
            whole = whole_network(sound.unsqueeze(0))
            torch.testing.assert_close(logit[:length], whole, rtol=1e-3, atol=2e-3)


@pytest.fixture
def made_up() -> Aligner:
    emissions = np.random.default_rng(0).normal(size=(49, 29)).astype(np.float32)
    labels = {label: column for column, label in enumerate("-|abcdefghijklmnopqrstuvwxyz'")}
    return Aligner(
        name="made up",
        language="en",
        labels=labels,
        blank=0,
        network=MadeUp(emissions),
        device="cpu",
    )


def test_what_cannot_be_placed_is_none_and_never_dropped(made_up: Aligner) -> None:
    windows = [
        heard(0.0, 1.0, "fine"),
        heard(0.0, 1.0, "viel zu deutsch", "de"),
        heard(0.0, 1.0, "x" * 50),
        heard(30.0, 31.0, "beyond the end"),
        heard(0.0, 1.0, ""),
        heard(0.0, 1.0, "  "),
    ]

    times = align(noise(2), windows, made_up, batch_size=1)

    assert [len(of) for of in times] == [len(window.words) for window in windows]
    assert isinstance(times[0][0], WordTime)
    assert not any(time for of in times[1:] for time in of)


def test_nothing_heard_is_nothing_aligned(made_up: Aligner) -> None:
    told: list[float] = []

    assert align(noise(2), [], made_up, batch_size=4, on_progress=lambda _, f: told.append(f)) == []
    assert told == [1.0]


def test_progress_rises_to_one(made_up: Aligner) -> None:
    told: list[tuple[Stage, float]] = []
    windows = [heard(start, start + 1.0, "yes") for start in range(7)]

    align(
        noise(10),
        windows,
        made_up,
        batch_size=2,
        on_progress=lambda stage, f: told.append((stage, f)),
    )

    fractions = [fraction for _, fraction in told]
    assert {stage for stage, _ in told} == {Stage.ALIGN}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(set(fractions)) == 2 * len(windows)  # heard, then placed


def test_what_on_progress_raises_ends_the_run(made_up: Aligner) -> None:
    class Canceled(Exception):
        pass

    def cancel(stage: Stage, fraction: float) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        align(noise(2), [heard(0.0, 1.0, "no")], made_up, batch_size=1, on_progress=cancel)


def test_a_read_only_map_of_a_file_is_taken_as_it_is(
    hugging_face_folder: Path, tmp_path: Path
) -> None:
    aligner = load_aligner("nl", hugging_face_folder, device="cpu")
    noise(3).tofile(tmp_path / "waveform")
    mapped = np.memmap(tmp_path / "waveform", dtype=np.float32, mode="r")

    (times,) = align(mapped, [heard(0.5, 2.5, "een twee", "nl")], aligner, batch_size=1)

    (same,) = align(noise(3), [heard(0.5, 2.5, "een twee", "nl")], aligner, batch_size=1)
    assert times == same
