"""When a run is over, so are its stages and their files."""

from dataclasses import replace
from typing import Any

import pytest
import redis

from jobs.attempt import new_lease
from jobs.job import Job
from jobs.leases import Leases
from jobs.settings import StoreSettings
from jobs.stage_call import StageCall, StageRole
from jobs.stage_files import StageFiles
from jobs.stage_leftovers import STAGE_FILES, StageLeftovers
from jobs.store import JobStore
from jobs.sweeping import SWEEP_AFTER_SECONDS
from jobs.workers import WorkerRegistry
from pipeline.awaiting import NobodyWaits
from pipeline.waveform import Waveform
from tests.integration.split.asked import ATTEMPT, DIARIZE, JOB, Start, diarize, keys, until
from tests.jobs_made import a_job
from worker.housekeeper import Housekeeper
from worker.stage_sending import StageSender


def test_a_run_that_ends_is_heard_by_who_does_its_stage(
    sender: StageSender, serve: Start, sound: list[Waveform], settings: StoreSettings, valkey: Any
) -> None:
    serve()
    registry = WorkerRegistry(valkey)
    with sender.of(JOB, ATTEMPT, excuse=lambda: None) as stages:
        stages.begin(diarize(seconds=60), sound)
        until(lambda: sender.calls.taken(DIARIZE))
        assert keys(settings)

    assert until(lambda: sender.calls.taken(DIARIZE) is None) < 3 + 2
    assert keys(settings) == []
    until(lambda: registry.alive() and not any(worker.jobs for worker in registry.alive()))
    with pytest.raises(NobodyWaits):
        stages.begin(diarize(), sound)


def test_a_run_ends_what_an_attempt_before_it_left(
    sender: StageSender, files: StageFiles, settings: StoreSettings
) -> None:
    before = replace(DIARIZE, attempt="before")
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
