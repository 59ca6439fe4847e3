"""What comes back from storage after a loss, what does not, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from jobs import s3_client as s3
from jobs.attempt import new_lease
from jobs.batch_files import BatchFiles
from jobs.endpoint import Endpoint
from jobs.endpoints import Endpoints
from jobs.figures import Figures
from jobs.files import JobFiles
from jobs.ids import new_id
from jobs.job import Job
from jobs.job_folders import JobFolders
from jobs.leases import Leases
from jobs.outbox import Outbox
from jobs.request_errors import EndpointNotFound, JobNotFound
from jobs.reservations import named_by_client
from jobs.restoring import SETTLED_SECONDS, Restorer
from jobs.settings import StoreSettings
from jobs.store import JobStore
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secret import WebhookSecret
from tests.integration.emptied_redis import empty_bucket, rebuilding
from tests.jobs_made import a_job


@pytest.fixture(autouse=True)
def _nothing_of_other_tests(valkey: "redis.Redis", settings: StoreSettings) -> None:
    empty_bucket(settings)


@pytest.fixture
def restorer(store: JobStore, files: JobFiles, settings: StoreSettings) -> Restorer:
    return Restorer(store, files, BatchFiles(s3.connect(settings), settings.s3_bucket))


@pytest.fixture
def lost(files: JobFiles) -> Iterator[list[Job]]:
    """Jobs in the ledger alone; it has none of them afterwards."""
    found = [a_job() for _ in range(2)]
    for job in found:
        files.write_ledger(job)
    yield found
    for job in found:
        files.discard(job.id)


def test_a_submission_under_way_is_not_taken_for_a_lost_job(
    lost: list[Job], restorer: Restorer, store: JobStore
) -> None:
    ids = [job.id for job in lost]

    assert restorer.restore(ids, settled_seconds=SETTLED_SECONDS) == 0
    with pytest.raises(JobNotFound):
        store.get(ids[0])
    assert restorer.restore(ids, settled_seconds=0) == 2
    assert restorer.restore(ids, settled_seconds=0) == 0


def test_a_submission_whose_job_was_restored_meanwhile_leaves_it_alone(
    lost: list[Job], restorer: Restorer, store: JobStore, leases: Leases
) -> None:
    restorer.restore([lost[0].id], settled_seconds=0)
    claimed = leases.claim(lost[0].id, new_lease("w")).job

    store.add(lost[0])

    assert store.get(lost[0].id) == claimed


def test_of_one_submission_that_was_sent_twice_only_the_job_that_has_the_name_comes_back(
    restorer: Restorer, store: JobStore, files: JobFiles
) -> None:
    unanswered, answered = (a_job().model_copy(update={"client_id": "mine"}) for _ in range(2))
    for job in (unanswered, answered):
        files.write_ledger(job)
    name = named_by_client(answered)
    assert name is not None
    files.names.write(answered.owner, name)

    restorer.restore([unanswered.id, answered.id], settled_seconds=0)

    assert store.known([unanswered.id, answered.id]) == {answered.id}
    assert files.read_ledger(unanswered.id) is None


def test_what_ended_long_ago_is_told_to_nobody_and_counted_on_its_day(
    valkey: "redis.Redis",
    settings: StoreSettings,
    store: JobStore,
    files: JobFiles,
    restorer: Restorer,
) -> None:
    endpoints = Endpoints(valkey, WebhookFiles(s3.connect(settings), settings.s3_bucket))
    endpoint = Endpoint(
        id=new_id("whk", datetime.now(UTC)),
        owner="rebuilt",
        url="https://example.com/told",
        secret=WebhookSecret(),
        created_at=datetime.now(UTC),
    )
    endpoints.add(endpoint)
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    job = a_job(owner="rebuilt").canceled()
    job = job.model_copy(update={"finished_at": day, "expires_at": day + timedelta(days=9999)})
    files.write_ledger(job)
    valkey.flushall()

    rebuilding(settings, valkey).reconcile()

    assert endpoints.get("rebuilt", endpoint.id) == endpoint
    assert store.get(job.id) == job
    assert Outbox(valkey).rows(limit=10) == []
    (used,) = Figures(valkey).usage("rebuilt", [day.date()])
    assert used.canceled == 1
    endpoints.remove("rebuilt", endpoint.id)
    files.discard(job.id)


def test_an_endpoint_that_was_removed_stays_so(
    valkey: "redis.Redis", settings: StoreSettings
) -> None:
    endpoints = Endpoints(valkey, WebhookFiles(s3.connect(settings), settings.s3_bucket))
    endpoint = Endpoint(
        id=new_id("whk", datetime.now(UTC)),
        owner="rebuilt",
        url="https://example.com/told",
        secret=WebhookSecret(),
        created_at=datetime.now(UTC),
    )
    endpoints.add(endpoint)
    endpoints.remove("rebuilt", endpoint.id)
    valkey.flushall()

    endpoints.restore_all()

    with pytest.raises(EndpointNotFound):
        endpoints.get("rebuilt", endpoint.id)


def test_a_redis_that_is_emptied_again_is_rebuilt_again(
    valkey: "redis.Redis", settings: StoreSettings, lost: list[Job], store: JobStore
) -> None:
    class Emptying(JobFolders):
        """Has Redis lose everything again once all was listed."""

        def newest_first(self, now: datetime) -> Iterator[list[str]]:
            yield from super().newest_first(now)
            valkey.flushall()

    valkey.flushall()
    rebuilder = rebuilding(settings, valkey)
    storage = rebuilder._folders._s3
    rebuilder._folders = Emptying(storage, settings.s3_bucket)

    assert not rebuilder.reconcile().is_complete
    assert not store.is_rebuilt()
    assert rebuilding(settings, valkey).reconcile().is_complete
    assert store.get(lost[0].id) == lost[0]


def test_a_ledger_that_nobody_understands_keeps_nothing_else_from_coming_back(
    valkey: "redis.Redis", settings: StoreSettings, lost: list[Job], store: JobStore
) -> None:
    client = s3.connect(settings)
    broken, whole = lost
    client.put_object(Bucket=settings.s3_bucket, Key=f"jobs/{broken.id}/job.json", Body=b"{")
    valkey.flushall()

    assert rebuilding(settings, valkey).reconcile().is_complete

    assert store.get(whole.id) == whole


def test_the_newest_jobs_come_first(settings: StoreSettings, files: JobFiles) -> None:
    now = datetime.now(UTC)
    ages = [timedelta(days=days) for days in (0, 1, 40, 4000)]
    jobs = [a_job().model_copy(update={"id": new_id("job", now - age)}) for age in ages]
    for job in jobs:
        files.write_ledger(job)
    folders = JobFolders(s3.connect(settings), settings.s3_bucket, page_size=3)

    listed = [job_id for page in folders.newest_first(now) for job_id in page]

    ours = {job.id for job in jobs}
    assert [job_id for job_id in listed if job_id in ours] == [job.id for job in jobs]
    assert len(listed) == len(set(listed))
    for job in jobs:
        files.discard(job.id)
