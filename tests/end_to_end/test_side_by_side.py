"""Speakers that are looked for beside the text are those that are looked for after it."""

import tempfile
from pathlib import Path

import pytest

from jobs.options import Task, TranscriptionOptions
from jobs.stages import Stage, overall
from pipeline.decoding import DecodedMedia, decode
from pipeline.device import choose_device
from pipeline.models import Models
from pipeline.progress import HeardText, OnHeard, OnProgress, unheard, unsaid
from pipeline.run import Run
from pipeline.settings import PipelineSettings
from pipeline.stages import StagesHere
from transcript.transcript import Transcript

OPTIONS = TranscriptionOptions(model="tiny.en", language="en", num_speakers=9)
SETTINGS = PipelineSettings(device="cpu", hf_hub_offline=True)


class Canceled(Exception):
    """What a worker raises when the client has withdrawn the job."""


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SETTINGS, choose_device(SETTINGS))


@pytest.fixture(scope="module")
def media(call: Path) -> DecodedMedia:
    with tempfile.TemporaryDirectory() as directory:
        return decode(
            call, Path(directory), max_seconds=60, timeout_seconds=60, on_progress=unheard
        )


def run(
    media: DecodedMedia,
    models: Models,
    *,
    side_by_side: bool,
    options: TranscriptionOptions = OPTIONS,
    on_progress: OnProgress = unheard,
    on_heard: OnHeard = unsaid,
) -> Transcript:
    return Run(
        settings=SETTINGS,
        device=choose_device(SETTINGS),
        models=models,
        stages=StagesHere(models),
        options=options,
        batch_share=1.0,
        on_progress=on_progress,
        on_heard=on_heard,
        side_by_side=side_by_side,
    ).transcript(media)


def test_both_ways_write_the_same_and_warn_of_the_same(media: DecodedMedia, models: Models) -> None:
    after = run(media, models, side_by_side=False)
    beside = run(media, models, side_by_side=True)

    assert after == beside
    assert [warning.code for warning in beside.warnings] == [
        "aligner_unavailable",
        "speaker_count_not_reached",
    ]


def test_progress_never_goes_back(media: DecodedMedia, models: Models) -> None:
    steps: list[tuple[Stage, float]] = []

    run(media, models, side_by_side=True, on_progress=lambda *step: steps.append(step))

    done = [overall(*step) for step in steps]
    assert done == sorted(done)
    assert steps[-1] == (Stage.DIARIZE, 1.0)


def test_a_canceled_run_takes_its_diarizer_along(media: DecodedMedia, models: Models) -> None:
    def cancel(heard: HeardText) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        run(media, models, side_by_side=True, on_heard=cancel)

    # The diarizer is free again, and as good as new.
    assert run(media, models, side_by_side=True).speakers


def test_nothing_is_diarized_where_only_the_language_is_asked_for(
    media: DecodedMedia, models: Models
) -> None:
    options = TranscriptionOptions(model="tiny.en", task=Task.DETECT_LANGUAGE)

    assert run(media, models, side_by_side=True, options=options).models.diarizer is None
