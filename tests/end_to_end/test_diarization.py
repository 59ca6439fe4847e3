"""Who spoke when, by the bundled diarizer with its real weights."""

import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler

from jobs.errors import ModelUnavailable
from jobs.stages import Stage
from pipeline.diarizer_tuning import DiarizerTuning
from pipeline.diarizing import Diarizer, load_bundled
from pipeline.progress import OnProgress, unheard
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.speech import Diarization
from pipeline.waveform import SAMPLE_RATE, Waveform


class Withdrawn(Exception):
    """Stands for a canceled job."""


def load(**tuning: float | None) -> Diarizer:
    settings = PipelineSettings()
    try:
        segmentation = locate("segmentation-3.0", settings)
        embedding = locate("campplus", settings)
    except ModelUnavailable as error:
        pytest.skip(f"no weights: {error}")
    return load_bundled(
        segmentation=segmentation / "pytorch_model.bin",
        embedding=embedding / "campplus_cn_en_common.pt",
        device="cpu",
        tuning=DiarizerTuning().but(
            threshold=tuning.get("clustering_threshold"),
            min_duration_off=tuning.get("min_duration_off"),
        ),
    )


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return load()


@pytest.fixture(scope="module")
def call(diarizer: Diarizer) -> Path:
    """The two-speaker phone call that pyannote carries."""
    import pyannote.audio

    return Path(pyannote.audio.__file__).parent / "sample" / "sample.wav"


@pytest.fixture(scope="module")
def waveform(call: Path) -> Waveform:
    with av.open(str(call)) as container:
        resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


@pytest.fixture(scope="module")
def diarization(diarizer: Diarizer, waveform: Waveform) -> Diarization:
    return diarize(diarizer, waveform)


def diarize(
    diarizer: Diarizer,
    waveform: Waveform,
    *,
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    on_progress: OnProgress = unheard,
) -> Diarization:
    return diarizer.diarize(
        waveform,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        with_embeddings=True,
        on_progress=on_progress,
    )


def labels(diarization: Diarization) -> list[str]:
    return list(dict.fromkeys(turn.speaker for turn in diarization.turns))


def test_the_error_rate_on_a_real_call_is_at_most_eight_percent(
    diarization: Diarization, call: Path
) -> None:
    from pyannote.core import Annotation, Segment
    from pyannote.metrics.diarization import DiarizationErrorRate

    reference, hypothesis = Annotation(), Annotation()
    for line in call.with_suffix(".rttm").read_text().splitlines():
        _, _, _, start, length, _, _, speaker, *_ = line.split()
        span = Segment(float(start), float(start) + float(length))
        reference[span, len(reference)] = speaker
    for turn in diarization.turns:
        hypothesis[Segment(turn.start, turn.end), len(hypothesis)] = turn.speaker
    uem: Any = reference.get_timeline().extent() | hypothesis.get_timeline().extent()
    from pyannote.core import Timeline

    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    assert metric(reference, hypothesis, uem=Timeline([uem])) <= 0.08


def test_speakers_are_numbered_in_order_of_appearance(diarization: Diarization) -> None:
    assert labels(diarization) == ["SPEAKER_00", "SPEAKER_01"]
    assert list(diarization.turns) == sorted(diarization.turns, key=lambda t: (t.start, t.end))


def test_exclusive_turns_never_overlap_and_stay_inside_the_media(
    diarization: Diarization, waveform: Waveform
) -> None:
    assert len(diarization.exclusive) > 1
    for one, other in itertools.pairwise(diarization.exclusive):
        assert one.end <= other.start
    for turn in (*diarization.turns, *diarization.exclusive):
        assert 0 <= turn.start < turn.end <= len(waveform) / SAMPLE_RATE


def test_a_speaker_sounds_alike_in_both_halves_of_the_call_and_unlike_the_other(
    diarizer: Diarizer, diarization: Diarization, waveform: Waveform
) -> None:
    middle = len(waveform) // 2
    halves = [diarize(diarizer, half) for half in (waveform[:middle], waveform[middle:])]
    whole = unit(diarization.embeddings["SPEAKER_00"]), unit(diarization.embeddings["SPEAKER_01"])

    assert whole[0] @ whole[1] < 0.5
    for half in halves:
        nearest = {max((0, 1), key=lambda n: whole[n] @ unit(e)) for e in half.embeddings.values()}
        assert nearest == {0, 1}
        assert all(max(unit(e) @ w for w in whole) > 0.7 for e in half.embeddings.values())


def unit(embedding: tuple[float, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    vector = np.array(embedding)
    assert np.isfinite(vector).all()
    assert len(vector) == 192
    return vector / float(np.linalg.norm(vector))


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_as_many_speakers_are_found_as_are_said_to_be_there(
    diarizer: Diarizer, waveform: Waveform, wanted: int
) -> None:
    assert len(labels(diarize(diarizer, waveform, num_speakers=wanted))) == wanted


def test_the_number_of_speakers_of_one_job_is_not_the_next_ones(
    diarizer: Diarizer, waveform: Waveform, diarization: Diarization
) -> None:
    diarize(diarizer, waveform, num_speakers=1)

    assert diarize(diarizer, waveform) == diarization


def test_at_most_is_at_most_and_at_least_is_at_least(
    diarizer: Diarizer, waveform: Waveform
) -> None:
    assert len(labels(diarize(diarizer, waveform, max_speakers=1))) == 1
    assert len(labels(diarize(diarizer, waveform, min_speakers=3))) >= 3


@pytest.mark.parametrize("seconds", [0.0, 1 / SAMPLE_RATE, 0.1, 3.0, 25.0])
def test_silence_has_no_turns_however_long(diarizer: Diarizer, seconds: float) -> None:
    silence = np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)

    assert diarize(diarizer, silence) == Diarization(turns=(), exclusive=(), embeddings={})


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("wanted", [None, 3])
def test_speech_may_be_shorter_than_a_window(
    diarizer: Diarizer, waveform: Waveform, seconds: float, wanted: int | None
) -> None:
    start = 7 * SAMPLE_RATE
    found = diarize(
        diarizer, waveform[start : start + round(seconds * SAMPLE_RATE)], num_speakers=wanted
    )

    assert all(0 <= turn.start < turn.end <= seconds for turn in found.turns)
    assert set(found.embeddings) <= set(labels(found))
    assert seconds < 1 or found.turns


def test_a_memory_map_that_cannot_be_written_is_as_good_as_an_array(
    diarizer: Diarizer, waveform: Waveform, diarization: Diarization, tmp_path: Path
) -> None:
    path = tmp_path / "waveform.f32"
    waveform.tofile(path)
    mapped = np.memmap(path, dtype=np.float32, mode="r")

    assert diarize(diarizer, mapped) == diarization


def test_progress_rises_from_none_to_all(diarizer: Diarizer, waveform: Waveform) -> None:
    fractions: list[float] = []

    def note(stage: Stage, fraction: float) -> None:
        assert stage is Stage.DIARIZE
        fractions.append(fraction)

    diarize(diarizer, waveform, on_progress=note)
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(set(fractions)) > 20  # also during the embeddings
    assert len({each for each in fractions if 0.97 < each < 1}) == 3  # and during the clustering


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.97])
def test_a_canceled_job_stops_and_leaves_the_diarizer_to_the_next(
    diarizer: Diarizer, waveform: Waveform, at: float
) -> None:
    withdrawn = Withdrawn()

    def cancel(stage: Stage, fraction: float) -> None:
        if fraction >= at:
            raise withdrawn

    with pytest.raises(Withdrawn) as caught:
        diarize(diarizer, waveform, on_progress=cancel)

    assert caught.value is withdrawn
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    assert diarize(diarizer, silence).turns == ()


def test_pauses_are_filled_on_request_and_exclusive_turns_still_never_overlap(
    waveform: Waveform, diarization: Diarization
) -> None:
    filled = diarize(load(min_duration_off=2.0), waveform)

    assert len(filled.turns) < len(diarization.turns)
    assert all(one.end <= other.start for one, other in itertools.pairwise(filled.exclusive))


def test_a_high_threshold_makes_one_speaker_of_all(waveform: Waveform) -> None:
    assert len(labels(diarize(load(clustering_threshold=1.9), waveform))) == 1


def test_pyannote_reports_nothing_to_anybody(diarizer: Diarizer) -> None:
    from pyannote.audio.telemetry.metrics import is_metrics_enabled

    assert not is_metrics_enabled()
