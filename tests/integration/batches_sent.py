"""What tests of batches share: a bucket with scripts for the stand-in, how to send and wait."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from jobs import s3_client as s3
from jobs.batch import Batch
from jobs.ids import new_id
from jobs.job import Job
from jobs.options import JobOptions, Priority
from jobs.settings import StoreSettings
from tests.jobs_made import a_job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "batch-archive"
VARIABLES = {"SOURCE_BUCKETS": BUCKET, "ALLOW_PRIVATE_ADDRESSES": "true", "API_PROCESSES": "1"}

Answer = dict[str, Any]


class Archive:
    """A bucket of our own, as an operator would list in SOURCE_BUCKETS."""

    def __init__(self, settings: StoreSettings) -> None:
        self.client: S3Client = s3.connect(settings)
        self.bucket = settings.s3_bucket
        known = [each["Name"] for each in self.client.list_buckets()["Buckets"]]
        if BUCKET not in known:
            self.client.create_bucket(Bucket=BUCKET)

    def put(self, **scripts: Mapping[str, Any]) -> list[Answer]:
        """Store a script for each name and return items that name them, in this order."""
        for name, script in scripts.items():
            self.client.put_object(
                Bucket=BUCKET, Key=f"{name}.wav", Body=json.dumps(script).encode()
            )
        return [item(name) for name in scripts]

    def objects(self, prefix: str) -> list[str]:
        """Return the keys in the service's own bucket."""
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"] for each in answer.get("Contents", [])]

    def text(self, key: str) -> str:
        """Return an object in the service's own bucket."""
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()


def item(name: str) -> Answer:
    return {"source": {"s3_uri": f"s3://{BUCKET}/{name}.wav"}, "external_id": name}


def urls(count: int) -> list[Answer]:
    """Return items whose media nobody will fetch."""
    return [{"source": {"url": f"http://media.example.com/{n}.mp3"}} for n in range(count)]


def sent(client: httpx.Client, items: list[Answer], **fields: Any) -> Answer:
    answer = client.post("/v1/batches", json={"items": items, **fields})
    assert answer.status_code == 202, answer.text
    found: Answer = answer.json()
    assert answer.headers["location"] == f"/v1/batches/{found['id']}"
    return found


def read(client: httpx.Client, batch: Answer) -> Answer:
    answer = client.get(f"/v1/batches/{batch['id']}")
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


def over(client: httpx.Client, batch: Answer, *, within_seconds: float = 60) -> Answer:
    """Return a batch as soon as it is over."""
    deadline = time.monotonic() + within_seconds
    while (found := read(client, batch))["completed_at"] is None:
        assert time.monotonic() < deadline, found
        unfinished = client.get("/v1/jobs", params={"batch_id": batch["id"]}).json()["data"]
        for job in unfinished:
            client.get(f"/v1/jobs/{job['id']}", params={"wait": 5})
    return found


def lines(client: httpx.Client, batch: Answer) -> list[Answer]:
    answer = client.get(f"/v1/batches/{batch['id']}/results")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def made(count: int, *, owner: str = "anonymous", **fields: Any) -> tuple[Batch, list[Job]]:
    """Return a batch and its jobs as the front door makes them."""
    now = datetime.now(UTC)
    batch = Batch(id=new_id("bat", now), owner=owner, total=count, created_at=now, **fields)
    options = JobOptions(priority=Priority.BATCH)
    jobs = [
        a_job(owner=owner, options=options).model_copy(update={"id": job_id, "batch_id": batch.id})
        for job_id in sorted(new_id("job", now) for _ in range(count))
    ]
    return batch, jobs
