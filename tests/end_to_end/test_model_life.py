"""Models that nobody uses leave the memory, and come back as they were."""

import logging
from pathlib import Path

import pytest

from jobs.options import TranscriptionOptions
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings
from pipeline.unloading import give_back, memory_held

OPTIONS = TranscriptionOptions(model="tiny.en", language="en", diarize=True)
EVERYTHING = {"tiny.en", "bundled diarizer", "silero"}  # but the preloaded one


def pipeline(**settings: float) -> Pipeline:
    return Pipeline(
        PipelineSettings(device="cpu", preload_model="base", hf_hub_offline=True, **settings)  # type: ignore[arg-type] # numbers all
    )


def rss_bytes() -> int:
    give_back()
    rss = memory_held().rss_bytes
    assert rss is not None
    return rss


def test_every_idle_model_but_the_preloaded_one_leaves_its_memory_and_comes_back_the_same(
    call: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Swept by hand only.
    running = pipeline(model_keep_alive_seconds=1e-3, model_eviction_interval_seconds=3600)
    running.warm_up()
    first = running.run(call, OPTIONS)
    assert set(running.loaded_models()) == {"base", *EVERYTHING}
    held = rss_bytes()

    with caplog.at_level(logging.INFO, logger="pipeline.unloading"):
        assert set(running.unload_idle()) == EVERYTHING

    assert running.loaded_models() == ("base",)
    # tiny.en in int8 is 40 MB, the diarizer's two networks 34 MB.
    assert rss_bytes() < held - 50e6
    (told,) = [each for each in caplog.records if "diarizer" in each.getMessage()]
    assert told.__dict__["freed_rss_mb"] > 50
    assert running.evictions() == {"tiny.en": 1, "bundled diarizer": 1}

    again = running.run(call, OPTIONS)

    assert again == first
    assert set(running.loaded_models()) == {"base", *EVERYTHING}


def test_no_more_models_than_allowed_stay_and_every_job_is_done(call: Path) -> None:
    unlimited, limited = pipeline(), pipeline(max_loaded_models=1)

    text = unlimited.run(call, OPTIONS)

    assert limited.run(call, OPTIONS) == text
    assert limited.loaded_models() == ("bundled diarizer", "silero")
    assert limited.evictions() == {"tiny.en": 1}
