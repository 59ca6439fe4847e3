"""A run that has its stages done, and real processes that do them, without models."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from deploy.local.processes import Process, wait_until
from deploy.local.stack import Stack
from jobs import queue as broker
from jobs import s3_client as s3
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.stage_call import StageRole
from jobs.stage_calls import StageCalls
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import StageLeftovers
from jobs.store import JobStore
from jobs.workers import WorkerRegistry
from pipeline.waveform import Waveform
from tests.integration.split.asked import ATTEMPT, JOB, SOUND, Sending, Start
from worker.stage_following import FollowTimes
from worker.stage_sending import SentStages, StageSender


@pytest.fixture
def files(settings: StoreSettings, valkey: "redis.Redis") -> StageFiles:
    return StageFiles(s3.connect(settings), settings.s3_bucket)


@pytest.fixture
def sending(
    valkey: "redis.Redis", store: JobStore, settings: StoreSettings, files: StageFiles
) -> Sending:
    """A function that returns one with little patience, but for what nobody serves."""

    def make(*, unserved: float = 60.0) -> StageSender:
        return StageSender(
            files=files,
            calls=StageCalls(valkey),
            queue=JobQueue(broker.connect(settings), valkey),
            workers=WorkerRegistry(valkey),
            leftovers=StageLeftovers(valkey, store, files),
            times=FollowTimes(gone=1.0, lost=1.0, unserved=unserved),
        )

    return make


@pytest.fixture
def sender(sending: Sending) -> StageSender:
    return sending()


@pytest.fixture
def stages(sender: StageSender) -> Iterator[SentStages]:
    with sender.of(JOB, ATTEMPT, excuse=lambda: None) as stages:
        yield stages


@pytest.fixture
def serve(stack: Stack, valkey: "redis.Redis") -> Iterator[Start]:
    """A function that starts one more process of a stage."""
    started: list[Process] = []

    def start(role: StageRole = StageRole.DIARIZE, **variables: str) -> Process:
        name = f"{role}-{len(stack.processes)}"
        process = stack.start(
            name,
            [sys.executable, "-m", "tests.integration.stand_in_stage"],
            variables={
                "WORKER_NAME": f"{name}@test",
                "WORKER_STAGE": role,
                "PIPELINE_STRATEGY": "split",
                **variables,
            },
        )
        started.append(process)
        registry = WorkerRegistry(valkey)
        wait_until(
            lambda: any(worker.name == f"{name}@test" for worker in registry.alive()),
            process,
            within_seconds=60,
        )
        return process

    yield start
    for process in started:
        process.stop(within_seconds=10)


@pytest.fixture
def sound(tmp_path: Path) -> list[Waveform]:
    """One channel, mapped from a file as it is decoded."""
    SOUND.tofile(tmp_path / "sound.f32")
    return [np.memmap(tmp_path / "sound.f32", dtype=np.float32, mode="r")]
