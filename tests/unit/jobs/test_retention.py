"""How long a job is kept after its end, and how long its media."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from jobs.attempt import Failure, Outcome, new_lease
from jobs.job import Job
from jobs.options import JobOptions
from jobs.request_errors import IllegalMove, MediaNotKept
from jobs.source import S3Source, Source, UploadSource, UrlSource
from tests.jobs_made import a_job

OUTCOME = Outcome(language="en", language_confidence=0.9, warnings=(), stages=())
UPLOAD = UploadSource(type="upload", upload_id="upl_" + "0" * 32)
ELSEWHERE: list[Source] = [
    UrlSource(type="url", url="http://example.org/a.wav"),
    S3Source(type="s3", s3_uri="s3://archive/a.wav"),
]


def succeeded(**options: int) -> Job:
    lease = new_lease("w")
    return a_job(options=JobOptions(**options)).claimed(lease).succeeded(lease.token, OUTCOME)


def failed(source: Source | None = None, **options: int) -> Job:
    job = a_job(options=JobOptions(**options)).model_copy(update={"source": source})
    return job.failed(Failure(code="corrupt_media", message="no"))


def without_media(job: Job) -> Job:
    """Return a job whose media went long ago."""
    due = job.kept_for(0, media_days=0)
    assert due.media_expires_at is not None
    return due.media_purged(due.media_expires_at).media_gone()


def days(job: Job, until: datetime | None) -> float | None:
    """Return how long after its end a moment is."""
    assert job.finished_at is not None
    return None if until is None else (until - job.finished_at) / timedelta(days=1)


@pytest.mark.parametrize(
    ("service", "of_media", "options", "job_days", "media_days"),
    [
        (0, None, {}, None, None),
        (30, None, {}, 30, None),
        (30, 2, {}, 30, 2),
        (0, 2, {}, None, 2),
        (0, 0, {}, None, 0),
        (30, 2, {"media_retention_days": 5}, 30, 5),
        (30, None, {"media_retention_days": 0}, 30, 0),
        (30, 9, {"retention_days": 3}, 3, 3),
        (0, None, {"retention_days": 3, "media_retention_days": 50}, 3, 3),
    ],
)
def test_media_is_kept_as_long_as_it_should_and_never_longer_than_its_job(
    service: int,
    of_media: int | None,
    options: dict[str, int],
    job_days: float | None,
    media_days: float | None,
) -> None:
    job = succeeded(**options).kept_for(service, media_days=of_media)

    assert (days(job, job.expires_at), days(job, job.media_expires_at)) == (job_days, media_days)


@pytest.mark.parametrize("job", [failed(media_retention_days=0), a_job().canceled()])
def test_media_of_a_job_that_may_be_retried_is_kept_for_a_week_at_least(job: Job) -> None:
    kept = job.kept_for(0, media_days=0)
    longer = job.model_copy(update={"options": JobOptions()}).kept_for(0, media_days=9)
    shorter = job.kept_for(2, media_days=0)

    assert days(kept, kept.media_expires_at) == 7
    assert days(longer, longer.media_expires_at) == 9
    assert days(shorter, shorter.media_expires_at) == 2


def test_media_that_never_came_is_not_waited_for() -> None:
    job = failed(ELSEWHERE[0])
    unfetched = job.model_copy(update={"media": job.media.model_copy(update={"bytes": None})})

    assert unfetched.kept_for(3, media_days=0).media_expires_at is None


def test_media_that_is_deleted_says_since_when_and_all_else_stays() -> None:
    job = succeeded().kept_for(30, media_days=1)
    assert job.media_expires_at is not None
    now = job.media_expires_at + timedelta(hours=1)

    begun = job.media_purged(now)
    again = begun.media_purged(now + timedelta(hours=1))
    gone = again.media_gone()

    assert begun.media_expires_at == job.media_expires_at  # until it is done, it is due
    assert gone.media.purged_at == now
    assert not gone.is_media_kept
    assert gone == job.model_copy(update={"media": gone.media, "media_expires_at": None})


def test_media_is_not_deleted_before_its_time_nor_of_a_job_that_runs_again() -> None:
    due = failed().kept_for(0, media_days=1)
    assert due.media_expires_at is not None

    with pytest.raises(IllegalMove):
        due.media_purged(due.media_expires_at - timedelta(seconds=1))
    with pytest.raises(IllegalMove):
        due.retried().media_purged(datetime.now(UTC) + timedelta(days=99))


@pytest.mark.parametrize("source", [None, UPLOAD])
def test_a_job_whose_media_is_gone_for_good_does_not_run_again(source: Source | None) -> None:
    job = without_media(failed(source))

    with pytest.raises(MediaNotKept, match="send it again"):
        job.retried()
    with pytest.raises(IllegalMove):  # that it cannot be retried at all is said first
        without_media(succeeded()).retried()


@pytest.mark.parametrize("source", ELSEWHERE)
def test_a_job_whose_media_is_elsewhere_fetches_it_again(source: Source) -> None:
    again = without_media(failed(source)).retried()

    assert not again.is_media_kept  # so its worker fetches it
    assert (again.media.filename, again.media.bytes, again.media.purged_at) == (
        "call.wav",
        None,
        None,
    )
    assert again.media_gone() == again  # whoever deleted the old media comes too late to say so


@pytest.mark.parametrize("value", [-1, 3651, 0.5, "soon"])
def test_an_odd_retention_of_media_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        JobOptions.model_validate({"media_retention_days": value})
