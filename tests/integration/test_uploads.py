"""Media that clients send to object storage by themselves, through the real servers."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from deploy.local.processes import Process
from jobs.files import JobFiles, upload_key
from jobs.store import JobStore
from jobs.upload_parts import UploadParts
from jobs.uploads import Uploads

SCRIPT = json.dumps({"say": "hello"}).encode()
LARGE = SCRIPT + b" " * (64 * 1024**2)  # in five parts, the last one short

Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def uploads(valkey: "redis.Redis") -> Uploads:
    return Uploads(valkey)


@pytest.fixture
def storage() -> Iterator[httpx.Client]:
    """A client that knows nothing but the addresses it is given."""
    with httpx.Client(timeout=60) as client:
        yield client


def begun(api: httpx.Client, content: bytes = SCRIPT, **asked: object) -> Answer:
    told = {"filename": "call.wav", "bytes": len(content), **asked}
    answer = api.post("/v1/uploads", json=told)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['id']}"
    found: Answer = answer.json()
    return found


def send(storage: httpx.Client, upload: Answer, content: bytes, *numbers: int) -> None:
    for part in upload["parts"]:
        if part["url"] and (not numbers or part["number"] in numbers):
            piece = content[part["offset"] : part["offset"] + part["bytes"]]
            storage.put(part["url"], content=piece).raise_for_status()


def sent(api: httpx.Client, storage: httpx.Client, content: bytes = SCRIPT, **asked: object) -> str:
    """Return the id of a complete upload."""
    upload = begun(api, content, **asked)
    send(storage, upload, content)
    api.post(f"/v1/uploads/{upload['id']}/complete").raise_for_status()
    return str(upload["id"])


def job_of(api: httpx.Client, upload_id: str) -> httpx.Response:
    return api.post("/v1/jobs", json={"source": {"upload_id": upload_id}})


def kept(files: JobFiles, upload_id: str) -> list[str]:
    answer = files._s3.list_objects_v2(Bucket=files._bucket, Prefix=f"uploads/{upload_id}/")
    under_way = files._s3.list_multipart_uploads(Bucket=files._bucket).get("Uploads", [])
    keys = [item["Key"] for item in [*answer.get("Contents", []), *under_way]]
    return [key for key in keys if key == upload_key(upload_id)]


def test_media_sent_past_the_api_becomes_a_job_and_goes_with_it(
    api: httpx.Client,
    storage: httpx.Client,
    start_worker: Callable[[], Process],
    ended: Callable[[str], Answer],
    files: JobFiles,
) -> None:
    start_worker()
    upload_id = sent(api, storage, filename="../a\tcall.wav", content_type="audio/wav")

    job = ended(job_of(api, upload_id).json()["id"])

    assert job["status"] == "succeeded"
    assert job["source"]["upload_id"] == upload_id
    assert job["media"]["bytes"] == len(SCRIPT)
    assert (job["media"]["filename"], job["media"]["content_type"]) == ("acall.wav", "audio/wav")
    assert api.get(job["links"]["transcript"]).json()["text"] == "hello"
    assert api.get(job["links"]["media"]).content == SCRIPT
    used = api.get(f"/v1/uploads/{upload_id}").json()
    assert (used["state"], used["job_id"], used["parts"]) == ("used", job["id"], [])
    assert used["filename"] == "acall.wav"
    assert kept(files, upload_id) != []
    assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert kept(files, upload_id) == []


def test_a_large_upload_is_resumed_with_the_parts_that_are_missing(
    api: httpx.Client, storage: httpx.Client, files: JobFiles
) -> None:
    upload = begun(api, LARGE)
    path = f"/v1/uploads/{upload['id']}"
    send(storage, upload, LARGE, 1, 3)

    early = api.post(f"{path}/complete")
    resumed = api.get(path).json()
    send(storage, resumed, LARGE)
    complete = [api.post(f"{path}/complete") for _ in range(2)]

    assert (upload["method"], upload["part_count"]) == ("multipart", 5)
    assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
    assert "missing: 2, 4-5" in early.json()["detail"]
    assert [part["has_arrived"] for part in resumed["parts"]] == [True, False, True, False, False]
    assert [part["url"] is None for part in resumed["parts"]] == [True, False, True, False, False]
    assert [answer.status_code for answer in complete] == [200, 200]
    assert complete[0].json() == complete[1].json()
    assert complete[0].json()["state"] == "complete"
    found = files._s3.get_object(Bucket=files._bucket, Key=upload_key(upload["id"]))
    assert found["Body"].read() == LARGE


def test_a_large_upload_is_completed_once_by_requests_at_the_same_time(
    api: httpx.Client, storage: httpx.Client
) -> None:
    upload = begun(api, LARGE)
    send(storage, upload, LARGE)

    answers = at_once(4, lambda: api.post(f"/v1/uploads/{upload['id']}/complete"))

    assert [answer.status_code for answer in answers] == [200] * 4


@pytest.mark.parametrize("left", [0, 2])
def test_parts_that_vanish_while_another_request_joins_them_are_not_missed(
    api: httpx.Client,
    storage: httpx.Client,
    files: JobFiles,
    uploads: Uploads,
    monkeypatch: pytest.MonkeyPatch,
    left: int,
) -> None:
    begun_upload = begun(api, LARGE)
    send(storage, begun_upload, LARGE)
    upload = uploads.find(begun_upload["id"])
    assert upload is not None
    parts = UploadParts(files._s3, files._bucket)
    listed = parts._sent(upload, 1, upload.parts)
    assert listed is not None
    UploadParts(files._s3, files._bucket).join(upload)
    remaining = dict(list(listed.items())[:left])
    monkeypatch.setattr(parts, "_sent", lambda *_: remaining)

    parts.join(upload)

    assert parts._stored_bytes(upload) == len(LARGE)


def test_an_upload_that_was_joined_but_not_noted_is_completed_later(
    api: httpx.Client, storage: httpx.Client, valkey: "redis.Redis"
) -> None:
    upload = begun(api)
    send(storage, upload, SCRIPT)
    key = f"whisperline:upload:{upload['id']}"
    before = valkey.get(key)
    path = f"/v1/uploads/{upload['id']}"
    api.post(f"{path}/complete").raise_for_status()
    valkey.set(key, str(before))  # as if the API had died in between

    assert [part["has_arrived"] for part in api.get(path).json()["parts"]] == [True]
    assert api.post(f"{path}/complete").json()["state"] == "complete"


@pytest.mark.parametrize("content", [SCRIPT + b"x", SCRIPT[:-1]])
def test_storage_refuses_a_body_of_another_length(
    api: httpx.Client, storage: httpx.Client, content: bytes
) -> None:
    upload = begun(api)

    assert storage.put(upload["parts"][0]["url"], content=content).status_code == 403
    answer = api.post(f"/v1/uploads/{upload['id']}/complete")
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")


def test_a_part_of_a_wrong_size_is_named_where_storage_let_it_in(
    api: httpx.Client, uploads: Uploads, files: JobFiles
) -> None:
    upload = uploads.get(begun(api)["id"], "anonymous")
    files._s3.upload_part(
        Bucket=files._bucket,
        Key=upload_key(upload.id),
        UploadId=upload.s3_upload_id,
        PartNumber=1,
        Body=b"longer than it said" * 10,
    )

    answer = api.post(f"/v1/uploads/{upload.id}/complete")

    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
    assert f"part 1 has 190 bytes instead of {len(SCRIPT)}" in answer.json()["detail"]
    assert not api.get(f"/v1/uploads/{upload.id}").json()["parts"][0]["has_arrived"]


@pytest.mark.parametrize("end", ["complete", "delete"])
def test_afterwards_nothing_can_be_sent_any_more(
    api: httpx.Client, storage: httpx.Client, files: JobFiles, end: str
) -> None:
    upload = begun(api)
    send(storage, upload, SCRIPT)
    path = f"/v1/uploads/{upload['id']}"
    answer = api.delete(path) if end == "delete" else api.post(f"{path}/complete")
    assert answer.is_success
    before = kept(files, upload["id"])

    late = storage.put(upload["parts"][0]["url"], content=b"y" * len(SCRIPT))

    assert late.status_code == 404
    assert kept(files, upload["id"]) == before
    assert len(before) == (end == "complete")


def test_of_jobs_at_the_same_time_one_takes_the_upload(
    api: httpx.Client, storage: httpx.Client, store: JobStore
) -> None:
    upload_id = sent(api, storage)

    answers = at_once(8, lambda: job_of(api, upload_id))

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    assert {answer.json().get("code") for answer in answers} == {None, "upload_used"}
    assert store.queued_of("anonymous") == 1
    deleted = api.delete(f"/v1/uploads/{upload_id}")
    assert (deleted.status_code, deleted.json()["code"]) == (409, "upload_used")


def test_an_upload_that_is_not_complete_makes_no_job(api: httpx.Client, store: JobStore) -> None:
    answer = job_of(api, begun(api)["id"])

    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
    assert store.queued_of("anonymous") == 0


def at_once(count: int, ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    barrier = threading.Barrier(count)
    answers: list[httpx.Response] = []

    def run() -> None:
        barrier.wait()
        answers.append(ask())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
