"""A run that is canceled is left within 3 s, whatever it is at, and ends by itself."""

import itertools
import os
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline import decoder_process
from pipeline.catalog import catalog
from pipeline.pipeline import Pipeline
from pipeline.progress import HeardText, OnProgress
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from transcript.transcript import Transcript

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what transformers imports
    from tests.integration.aligners_made import hugging_face_weights

# What is required, and what a machine with two busy cores may add.
LEAVE_SECONDS = 3.0 + 2.0
END_SECONDS = 60.0  # until the computation that nobody waits for has noticed, at the very latest
LANGUAGE = "nl"  # the call is English, but what is tested here only needs some words
OPTIONS = TranscriptionOptions(model="base", language=LANGUAGE, diarize=True)


class Canceled(Exception):
    """What a worker raises when the client has withdrawn the job."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> PipelineSettings:
    """The models of the cache, and an aligner with random weights."""
    folder = tmp_path_factory.mktemp("canceling")
    models = folder / "cache" / "models"
    models.mkdir(parents=True)
    for name in ("base", "segmentation-3.0", "campplus"):
        (models / name).symlink_to(locate(name, PipelineSettings()))
    aligner = catalog().aligner(LANGUAGE)
    assert aligner is not None
    hugging_face_weights(folder, "base").rename(models / aligner.name)
    (models / aligner.name / "preprocessor_config.json").write_text("{}")  # every listed one has it
    (folder / "work").mkdir()
    return PipelineSettings(
        device="cpu", cache_dir=folder / "cache", work_dir=folder / "work", hf_hub_offline=True
    )


@pytest.fixture(scope="module")
def pipeline(settings: PipelineSettings) -> Pipeline:
    pipeline = Pipeline(settings)
    pipeline.warm_up()  # as a worker does
    return pipeline


@pytest.fixture(scope="module")
def transcript(pipeline: Pipeline, call: Path) -> Transcript:
    whole = pipeline.run(call, OPTIONS)
    assert whole.warnings == ()
    assert len(whole.speakers) == 2
    return whole


@pytest.fixture(autouse=True)
def _all_end(settings: PipelineSettings) -> Iterator[None]:
    """See to it that what was left ends, and takes its files with it."""
    yield
    for thread in threading.enumerate():
        if thread.name == "pipeline":
            thread.join(END_SECONDS)
            assert not thread.is_alive()
    assert list(settings.work_dir.iterdir()) == []


class Withdrawal:
    """Asks for a cancel as soon as a stage is so far, and raises it when next called."""

    def __init__(self, stage: Stage, fraction: float = 0.0) -> None:
        self._stage, self._fraction = stage, fraction
        self.asked_at: float | None = None

    def __call__(self, stage: Stage, fraction: float) -> None:
        if self.asked_at is not None:
            raise Canceled
        if stage is self._stage and fraction >= self._fraction:
            self.asked_at = time.monotonic()


def seconds_until_left(pipeline: Pipeline, media: Path, withdrawal: Withdrawal) -> float:
    with pytest.raises(Canceled):
        pipeline.run(media, OPTIONS, withdrawal)
    assert withdrawal.asked_at is not None
    return time.monotonic() - withdrawal.asked_at


@pytest.mark.parametrize(
    ("stage", "fraction"),
    [
        (Stage.DECODE, 0.0),
        (Stage.TRANSCRIBE, 0.0),
        (Stage.TRANSCRIBE, 0.05),  # speech is found, Whisper begins
        (Stage.ALIGN, 0.0),
        (Stage.DIARIZE, 0.0),
        (Stage.DIARIZE, 0.5),  # among the embeddings
        (Stage.DIARIZE, 0.97),  # clustering
    ],
)
def test_a_canceled_run_is_left_at_once_in_every_stage(
    stage: Stage, fraction: float, pipeline: Pipeline, call: Path, transcript: Transcript
) -> None:
    assert seconds_until_left(pipeline, call, Withdrawal(stage, fraction)) < LEAVE_SECONDS


def test_a_canceled_run_does_not_wait_for_a_model_that_loads(
    settings: PipelineSettings, call: Path, transcript: Transcript
) -> None:
    cold = Pipeline(settings)

    assert seconds_until_left(cold, call, Withdrawal(Stage.TRANSCRIBE, 0.05)) < LEAVE_SECONDS


def test_a_canceled_run_leaves_a_decoder_that_hangs_and_ends_it(
    pipeline: Pipeline, call: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def start_and_note(*args: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(start(*args, **options))  # type: ignore[call-overload] # as it came
        return started[-1]

    stopped = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    monkeypatch.setattr(decoder_process, "_START", stopped)
    monkeypatch.setattr(subprocess, "Popen", start_and_note)

    assert seconds_until_left(pipeline, call, Withdrawal(Stage.DECODE)) < LEAVE_SECONDS
    (decoder,) = started
    assert decoder.wait(END_SECONDS) == -signal.SIGKILL


def test_media_that_blocks_is_left_at_once(pipeline: Pipeline, tmp_path: Path) -> None:
    pipe = tmp_path / "media"
    os.mkfifo(pipe)  # opening it waits for somebody who writes
    try:
        assert seconds_until_left(pipeline, pipe, Withdrawal(Stage.DECODE)) < LEAVE_SECONDS
    finally:
        os.close(os.open(pipe, os.O_RDWR))  # nobody waits any more


def test_whoever_hears_the_text_may_end_the_run(pipeline: Pipeline, call: Path) -> None:
    def cancel(heard: HeardText) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        pipeline.run(call, OPTIONS, on_heard=cancel)


def test_a_run_beside_one_that_is_canceled_and_one_after_it_write_the_same(
    pipeline: Pipeline, call: Path, transcript: Transcript
) -> None:
    beside: list[Transcript] = []
    other = threading.Thread(target=lambda: beside.append(pipeline.run(call, OPTIONS)))
    other.start()
    seconds_until_left(pipeline, call, Withdrawal(Stage.TRANSCRIBE, 0.05))
    other.join()

    assert beside == [transcript]
    assert pipeline.run(call, OPTIONS) == transcript


def test_a_run_speaks_up_all_the_time_and_in_the_callers_thread(
    pipeline: Pipeline, call: Path, transcript: Transcript
) -> None:
    told: list[tuple[float, Stage, float, threading.Thread]] = []
    note: OnProgress = lambda *step: told.append(  # noqa: E731 - a line, not a concept
        (time.monotonic(), *step, threading.current_thread())
    )

    pipeline.run(call, OPTIONS, note)

    times = [at for at, *_ in told]
    assert max(b - a for a, b in itertools.pairwise(times)) < LEAVE_SECONDS
    assert {thread for *_, thread in told} == {threading.current_thread()}
    assert {stage for _, stage, *_ in told} == {
        *(Stage.DECODE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE)
    }
