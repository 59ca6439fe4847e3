"""Jobs are found by what is known of them, at the same cost however many there are."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import redis

from jobs.ids import new_id
from jobs.job import Job
from jobs.lanes import Lanes
from jobs.listing import MOST_READ, JobFilter, JobList
from jobs.media import Media
from jobs.options import JobOptions, Priority
from jobs.status import JobStatus
from jobs.store import REBUILT, JobStore
from jobs.sweeping import SWEEPING
from tests.jobs_made import a_job

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def job_list(valkey: "redis.Redis", store: JobStore) -> JobList:
    return JobList(valkey, store)


def made_at(store: JobStore, second: float, *, owner: str = "ann", **options: object) -> Job:
    moment = BEGIN + timedelta(seconds=second)
    job = Job(
        id=new_id("job", moment),
        owner=owner,
        options=JobOptions.model_validate(options),
        media=Media(filename="a.wav", bytes=4, sha256="0"),
        created_at=moment,
    )
    store.add(job)
    return job


def ids(job_list: JobList, wanted: JobFilter, *, limit: int = 100) -> list[str]:
    return [job.id for job in job_list.page("ann", wanted, limit=limit).jobs]


def test_pages_follow_each_other_newest_first_without_a_gap(
    store: JobStore, job_list: JobList
) -> None:
    mine = [made_at(store, second).id for second in range(7)]
    made_at(store, 3, owner="bob")
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = job_list.page("ann", JobFilter(), limit=2, before=cursor)
        seen += [job.id for job in page.jobs]
        cursor = page.next_cursor

    assert seen == mine[::-1]
    assert cursor is None


def test_a_full_last_page_has_no_cursor(store: JobStore, job_list: JobList) -> None:
    for second in range(4):
        made_at(store, second)

    assert job_list.page("ann", JobFilter(), limit=4).next_cursor is None


def test_each_filter_finds_its_jobs_and_no_other(store: JobStore, job_list: JobList) -> None:
    plain = made_at(store, 1)
    tagged = made_at(store, 2, tags=("a", "b:c"))
    named = made_at(store, 3, external_id="x:1", tags=("a",))
    store.update(named.id, Job.canceled)

    assert ids(job_list, JobFilter(tag="a")) == [named.id, tagged.id]
    assert ids(job_list, JobFilter(tag="b:c")) == [tagged.id]
    assert ids(job_list, JobFilter(external_id="x:1")) == [named.id]
    assert ids(job_list, JobFilter(status=JobStatus.QUEUED)) == [tagged.id, plain.id]
    assert ids(job_list, JobFilter(status=JobStatus.CANCELED, tag="a")) == [named.id]
    assert ids(job_list, JobFilter(status=JobStatus.CANCELED, tag="b:c")) == []
    assert ids(job_list, JobFilter(batch_id="none")) == []


def test_the_time_of_creation_bounds_the_list_to_the_microsecond(
    store: JobStore, job_list: JobList
) -> None:
    made = [made_at(store, second) for second in (0.0, 0.0005, 0.001, 5.0)]
    moment = BEGIN + timedelta(seconds=0.0005)

    assert ids(job_list, JobFilter(created_after=moment)) == [made[3].id, made[2].id]
    assert ids(job_list, JobFilter(created_before=moment)) == [made[0].id]
    both = JobFilter(created_after=BEGIN, created_before=BEGIN + timedelta(seconds=5))
    assert ids(job_list, both) == [made[2].id, made[1].id]


def test_a_job_that_moves_changes_its_list_and_a_purged_one_leaves_all(
    store: JobStore, job_list: JobList, valkey: "redis.Redis"
) -> None:
    job = made_at(store, 1, tags=("a",), external_id="x")
    store.update(job.id, Job.canceled)
    assert ids(job_list, JobFilter(status=JobStatus.QUEUED)) == []
    store.update(job.id, Job.retried)
    assert ids(job_list, JobFilter(status=JobStatus.QUEUED)) == [job.id]

    store.purge(job.id)
    Lanes(valkey).next(Priority.NORMAL, "ann", window=1)  # as whoever purges does

    assert ids(job_list, JobFilter()) == []
    assert sorted(str(key) for key in valkey.scan_iter("whisperline:*")) == [
        f"whisperline:purged:{job.id}",
        "whisperline:queued_bytes:normal",
        "whisperline:queued_unsized:normal",
        REBUILT,
        SWEEPING,
        f"whisperline:usage:ann:{datetime.now(UTC).date()}",
    ]


def test_a_page_reads_a_bounded_number_of_records_and_goes_on_from_there(
    store: JobStore, job_list: JobList, valkey: "redis.Redis"
) -> None:
    wanted = made_at(store, 0, tags=("a", "b"))
    pipe = valkey.pipeline()
    for second in range(1, MOST_READ + 50):
        moment = BEGIN + timedelta(seconds=second)
        options = JobOptions(tags=("a" if second % 2 else "b",))
        job = a_job(owner="ann", options=options)
        job = job.model_copy(update={"id": new_id("job", moment), "created_at": moment})
        store.write(pipe, job, was=None, now=0.0)
        extra = a_job(owner="ann", options=JobOptions(tags=("b" if second % 2 else "a",)))
        store.write(pipe, extra, was=None, now=0.0)
    pipe.execute()

    found: list[str] = []
    cursor, pages = None, 0
    while True:
        page = job_list.page(
            "ann",
            JobFilter(tag="a", external_id=None, status=JobStatus.QUEUED),
            limit=100,
            before=cursor,
        )
        matching = [job.id for job in page.jobs if "b" in job.options.tags]
        found += matching
        pages += 1
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == [wanted.id]
    assert pages > 1


def test_a_list_costs_the_same_number_of_commands_however_many_jobs_there_are(
    store: JobStore, job_list: JobList, valkey: "redis.Redis"
) -> None:
    costs = []
    for _ in range(2):
        for second in range(60):
            made_at(store, second, tags=("a",))
        before = int(valkey.info("stats")["total_commands_processed"])
        job_list.page("ann", JobFilter(tag="a", status=JobStatus.QUEUED), limit=20)
        costs.append(int(valkey.info("stats")["total_commands_processed"]) - before)

    assert costs[0] == costs[1]


def test_the_list_takes_its_filters_from_the_query(api: httpx.Client, store: JobStore) -> None:
    for tag in ("x", "y", "x"):
        api.post(
            "/v1/jobs", data={"tags": tag, "external_id": f"e{tag}"}, files={"file": ("a", b"{}")}
        )

    def count(**query: str) -> int:
        answer = api.get("/v1/jobs", params=query)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"])

    assert count(tag="x") == 2
    assert count(external_id="ey", status="queued") == 1
    assert count(status="failed") == 0
    assert count(created_after="2026-01-01T00:00:00Z") == 3
    assert count(created_before="2026-01-01T00:00:00Z") == 0
    assert api.get("/v1/jobs", params={"created_after": "2026-01-01"}).status_code == 422
    assert api.get("/v1/jobs", params={"status": "lost"}).status_code == 422
