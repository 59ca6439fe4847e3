"""A stage that another process does: what is asked arrives, what dies is sent again."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import redis

from deploy.local.processes import Process, wait_until
from deploy.local.stack import Stack
from jobs import queue as broker
from jobs import s3_client as s3
from jobs.attempt import new_lease
from jobs.errors import OutOfMemory
from jobs.job import Job
from jobs.leases import Leases
from jobs.options import TranscriptionOptions
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.stage_call import StageCall, StageRole
from jobs.stage_calls import StageCalls
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import STAGE_FILES, StageLeftovers
from jobs.stages import Stage
from jobs.store import JobStore
from jobs.sweeping import SWEEP_AFTER_SECONDS
from jobs.workers import WorkerRegistry
from pipeline.awaiting import NobodyWaits
from pipeline.speech import HeardWindow, Window
from pipeline.stage_work import StageWork
from pipeline.stages_elsewhere import StageFailed, checked
from pipeline.waveform import Waveform
from tests.jobs_made import a_job
from worker.housekeeper import Housekeeper
from worker.stage_following import FollowTimes
from worker.stage_sending import SentStages, StageSender

JOB, ATTEMPT = "job_1", "0123456789abcdef"
SOUND = np.array([0.25, -0.5, 1e-9, 0.75], dtype=np.float32)
Start = Callable[..., Process]


@pytest.fixture
def files(settings: StoreSettings, valkey: "redis.Redis") -> StageFiles:
    return StageFiles(s3.connect(settings), settings.s3_bucket)


@pytest.fixture
def sending(
    valkey: "redis.Redis", store: JobStore, settings: StoreSettings, files: StageFiles
) -> Callable[..., StageSender]:
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
def sender(sending: Callable[..., StageSender]) -> StageSender:
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


def diarize(**script: Any) -> StageWork:
    options = TranscriptionOptions(diarize=True, initial_prompt=json.dumps(script))
    return StageWork(stage=Stage.DIARIZE, options=options, batch_share=1.0)


def ran(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def until(is_so: Callable[[], object], *, within_seconds: float = 30) -> float:
    """Return how long it took until something was so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_seconds
        time.sleep(0.05)
    return time.monotonic() - began


def keys(settings: StoreSettings) -> list[str]:
    found = s3.connect(settings).list_objects_v2(Bucket=settings.s3_bucket, Prefix="jobs/")
    return [item["Key"] for item in found.get("Contents", [])]


def ignore(fraction: float) -> None:
    """Follow nothing."""


def test_what_is_heard_comes_back_with_its_times_whatever_they_are(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve(StageRole.ALIGN)
    window = HeardWindow(
        window=Window(start=0.1, end=0.1 + 0.2, spans=()),
        language="en",
        words=(" It's", " two"),
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=1.0,
        temperature=0.0,
    )
    work = StageWork(
        stage=Stage.ALIGN, options=TranscriptionOptions(), batch_share=0.5, heard=((window,), ())
    )

    done = stages.begin(work, [*sound, *sound]).done(ignore)

    ((first, second),), nothing = done.times
    assert nothing == ()
    assert first is not None
    assert first.start == float(SOUND.sum())
    assert second is not None
    assert second.score is not None
    assert math.isnan(second.score)


def test_what_is_asked_is_the_same_after_its_way(stages: SentStages) -> None:
    work = diarize(seconds=1.5)

    assert StageWork.model_validate_json(work.model_dump_json()) == work


def test_progress_is_told_while_a_stage_works(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve()
    told: list[float] = []

    done = stages.begin(diarize(seconds=4), sound).done(told.append)

    assert told == sorted(told)
    assert 0.2 < told[-1] <= 1
    assert done.diarization is not None
    assert done.diarization.turns[0].end == SOUND.max()


def test_a_stage_whose_process_is_killed_is_done_by_another(
    stages: SentStages, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    serve(), serve()
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=3, ran=str(file)), sound)
    until(lambda: ran(file))
    (first,) = ran(file)
    psutil.Process(first).kill()

    done = begun.done(ignore)

    assert done.diarization is not None
    assert len(ran(file)) == 2


def test_a_stage_that_kills_three_processes_is_given_up(
    stages: SentStages, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    deaths = tmp_path / "die"
    deaths.write_text("again\n" * 9)
    [serve() for _ in range(4)]

    with pytest.raises(StageFailed, match="3 times"):
        stages.begin(diarize(die=str(deaths)), sound).done(ignore)

    assert len(deaths.read_text().split()) == 6


def test_a_stage_that_nobody_serves_is_given_up_and_its_message_withdrawn(
    sending: Callable[..., StageSender], serve: Start, sound: list[Waveform]
) -> None:
    serve(StageRole.ALIGN)
    sender = sending(unserved=2.0)
    with sender.of(JOB, ATTEMPT, excuse=lambda: None) as stages:
        begun = stages.begin(diarize(), sound)
        with pytest.raises(StageFailed, match="no process serves the stage diarize"):
            begun.done(ignore)
        assert sender.queue.waiting_ids("diarize")

    assert not sender.queue.waiting_ids("diarize")


def test_a_stage_waits_in_its_queue_for_as_long_as_somebody_serves_it(
    sender: StageSender, serve: Start, sound: list[Waveform]
) -> None:
    serve()
    with ExitStack() as runs:
        attempts = [
            runs.enter_context(sender.of(f"job_{number}", ATTEMPT, excuse=lambda: None))
            for number in range(2)
        ]
        long, short = (
            attempt.begin(diarize(seconds=seconds), sound)
            for attempt, seconds in zip(attempts, (6, 0), strict=True)
        )

        assert short.done(ignore).diarization is not None
        assert long.done(ignore).diarization is not None


def test_a_run_that_ends_is_heard_by_who_does_its_stage(
    sender: StageSender, serve: Start, sound: list[Waveform], settings: StoreSettings, valkey: Any
) -> None:
    serve()
    registry = WorkerRegistry(valkey)
    with sender.of(JOB, ATTEMPT, excuse=lambda: None) as stages:
        stages.begin(diarize(seconds=60), sound)
        until(lambda: sender.calls.taken(stages_call()))
        assert keys(settings)

    assert until(lambda: sender.calls.taken(stages_call()) is None) < 3 + 2
    assert keys(settings) == []
    until(lambda: registry.alive() and not any(worker.jobs for worker in registry.alive()))
    with pytest.raises(NobodyWaits):
        stages.begin(diarize(), sound)


def stages_call() -> StageCall:
    return StageCall(job_id=JOB, attempt=ATTEMPT, role=StageRole.DIARIZE)


def test_a_message_that_comes_twice_is_one_call(
    stages: SentStages, sender: StageSender, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    serve(), serve()
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=2, ran=str(file)), sound)
    until(lambda: ran(file))
    sender.queue.send_stage(stages_call())

    begun.done(ignore)
    sender.queue.send_stage(stages_call())
    until(lambda: not sender.queue.waiting_ids("diarize"))
    with sender.of("job_2", ATTEMPT, excuse=lambda: None) as after:
        after.begin(diarize(), sound).done(ignore)  # whoever took the message is done with it

    assert len(ran(file)) == 1


def test_a_message_that_got_lost_is_sent_again(
    stages: SentStages, sender: StageSender, serve: Start, sound: list[Waveform], valkey: Any
) -> None:
    begun = stages.begin(diarize(), sound)
    until(lambda: sender.queue.waiting_ids("diarize"))
    valkey.delete("diarize")
    serve()

    assert begun.done(ignore).diarization is not None


def test_a_process_that_is_told_to_end_gives_its_stage_to_another(
    stages: SentStages,
    serve: Start,
    sound: list[Waveform],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = serve(DRAIN_SECONDS="0")
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=4, ran=str(file)), sound)
    until(lambda: ran(file))
    serve()
    first.stop()

    assert begun.done(ignore).diarization is not None
    assert len(set(ran(file))) == 2
    assert "died" not in caplog.text  # it is not counted


def test_what_a_stage_suffers_is_told_to_the_run(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve(), serve(StageRole.ALIGN)

    starved = stages.begin(diarize(eat=True), sound).done(ignore)
    options = TranscriptionOptions(initial_prompt='{"bug": true}')
    broken = stages.begin(
        StageWork(stage=Stage.ALIGN, options=options, batch_share=1.0), sound
    ).done(ignore)

    with pytest.raises(OutOfMemory):
        checked(starved)
    with pytest.raises(StageFailed, match="a fault of this service"):
        checked(broken)


def test_a_run_ends_what_an_attempt_before_it_left(
    sender: StageSender, files: StageFiles, settings: StoreSettings
) -> None:
    before = replace(stages_call(), attempt="before")
    files.put_work(before, b"{}")
    sender.calls.want(before)
    assert sender.calls.take(before, "process")

    with sender.of(JOB, ATTEMPT, excuse=lambda: None):
        assert keys(settings) == []
        assert sender.calls.pulse(before, "process", 0.5) is False


def test_the_housekeeper_clears_what_an_attempt_left_unless_it_still_runs(
    valkey: "redis.Redis",
    store: JobStore,
    leases: Leases,
    files: StageFiles,
    housekeeper: Housekeeper,
    settings: StoreSettings,
) -> None:
    held, canceled = a_job(), a_job()
    tokens = {}
    for job in (held, canceled):
        store.add(job)
        lease = new_lease("worker")
        leases.claim(job.id, lease)
        tokens[job.id] = lease.token
        StageLeftovers(valkey, store, files).expect(job.id, lease.token)
        files.put_work(StageCall(job_id=job.id, attempt=lease.token, role=StageRole.ALIGN), b"{}")
    store.update(canceled.id, Job.canceled)

    housekeeper.make_round()
    assert len(keys(settings)) == 2  # so soon, somebody may still store something

    for member in valkey.zrange(STAGE_FILES, 0, -1):
        valkey.zincrby(STAGE_FILES, -SWEEP_AFTER_SECONDS, str(member))
    housekeeper.make_round()

    (left,) = [key for key in keys(settings) if "/stages/" in key]
    assert left.startswith(f"jobs/{held.id}/{tokens[held.id]}/")
    assert valkey.zrange(STAGE_FILES, 0, -1) == [f"{held.id}/{tokens[held.id]}"]
