"""Which uploads are taken in, whose they are, and when they are deleted."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import redis

from deploy.local.stack import Stack
from jobs.files import JobFiles
from jobs.key_files import hash_of
from jobs.request_errors import QueueFull, TooManyUploads, UploadNotFound, UploadUsed
from jobs.store import JobStore
from jobs.upload import Upload
from jobs.uploads import MAX_OPEN, UPLOADS, ClaimedUpload, Uploads
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import begun, job_of, kept, send, sent
from tests.jobs_made import a_job
from worker.housekeeper import Housekeeper

ANN, BOB = "wl_annskey_000000000000000000000000000", "wl_bobskey_000000000000000000000000000"


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def uploads(valkey: "redis.Redis") -> Uploads:
    return Uploads(valkey)


def let_expire(valkey: "redis.Redis", uploads: Uploads, upload_id: str, *, ago: timedelta) -> None:
    upload = uploads.get(upload_id, "anonymous")
    past = upload.model_copy(update={"expires_at": datetime.now(UTC) - ago})
    valkey.set(f"whisperline:upload:{upload_id}", past.model_dump_json())
    valkey.zadd(UPLOADS, {upload_id: past.expires_at.timestamp()})


def an_upload(number: int, *, owner: str = "ann", seconds: float = 60) -> Upload:
    now = datetime.now(UTC)
    return Upload(
        id=f"upl_{number:032x}",
        owner=owner,
        filename="call.wav",
        bytes=1,
        part_bytes=1,
        s3_upload_id="s3",
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("told", "status", "code", "said"),
    [
        ({"filename": "a.wav"}, 422, "invalid_options", "bytes"),
        ({"filename": "a.wav", "bytes": 0}, 422, "invalid_options", "bytes"),
        ({"filename": "a.wav", "bytes": -1}, 422, "invalid_options", "bytes"),
        ({"filename": "a.wav", "bytes": 1.5}, 422, "invalid_options", "bytes"),
        ({"filename": "a.wav", "bytes": True}, 422, "invalid_options", "bytes"),
        ({"filename": "a.wav", "bytes": "1"}, 422, "invalid_options", "bytes"),
        ({"filename": "", "bytes": 1}, 422, "invalid_options", "filename"),
        ({"filename": "a.wav", "bytes": 1, "size": 1}, 422, "invalid_options", "size"),
        ({"filename": "a.wav", "bytes": 4096 * 1024**2 + 1}, 413, "too_large", "4096 MiB"),
        ([], 422, "invalid_options", "object"),
    ],
)
def test_what_is_announced_wrongly_is_refused(
    api: httpx.Client, told: object, status: int, code: str, said: str
) -> None:
    answer = api.post("/v1/uploads", json=told)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_a_body_that_is_no_json_is_malformed(api: httpx.Client, body: bytes) -> None:
    answer = api.post("/v1/uploads", content=body)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_an_upload_is_its_owner_s_alone(start_second_api: Callable[..., SecondApi]) -> None:
    api = start_second_api(API_KEYS=f"ann:{hash_of(ANN)},bob:{hash_of(BOB)}")
    with (
        httpx.Client(base_url=api.url, timeout=30, headers={"X-API-Key": ANN}) as ann,
        httpx.Client(base_url=api.url, timeout=30, headers={"X-API-Key": BOB}) as bob,
        httpx.Client(timeout=30) as storage,
    ):
        upload_id = sent(ann, storage)
        path = f"/v1/uploads/{upload_id}"

        refused = [bob.get(path), bob.post(f"{path}/complete"), bob.delete(path)]
        refused += [job_of(bob, upload_id), ann.get(f"/v1/uploads/upl_{0:032x}")]

        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {
            (404, "upload_not_found")
        }
        assert job_of(ann, upload_id).status_code == 202


def test_parts_are_shown_a_thousand_at_a_time_where_clients_reach_storage(
    start_second_api: Callable[..., SecondApi], stack: Stack, files: JobFiles
) -> None:
    public = "https://media.example.org"
    second = start_second_api(MAX_FILE_SIZE_MB="40960", S3_PUBLIC_ENDPOINT_URL=public)
    with httpx.Client(base_url=second.url, timeout=30) as api:
        upload = begun(api, b"", bytes=40 * 1024**3)
        pages = [upload]
        while (first := pages[-1]["next_part"]) is not None:
            answer = api.get(f"/v1/uploads/{upload['id']}", params={"first_part": first})
            pages.append(answer.json())

        parts = [part for page in pages for part in page["parts"]]
        assert [len(page["parts"]) for page in pages] == [1000, 1000, 560]
        assert [part["number"] for part in parts] == list(range(1, 2561))
        assert sum(part["bytes"] for part in parts) == 40 * 1024**3
        assert all(part["url"].startswith(f"{public}/whisperline/uploads/") for part in parts)
        after = api.get(f"/v1/uploads/{upload['id']}", params={"first_part": 2561}).json()
        assert (after["parts"], after["next_part"]) == ([], None)
        assert api.get(f"/v1/uploads/{upload['id']}").headers["cache-control"] == "no-store"
        assert api.delete(f"/v1/uploads/{upload['id']}").status_code == 204
    assert kept(files, upload["id"]) == []
    assert "X-Amz-Signature" not in second.process.log.read_text()


def test_an_owner_has_no_more_than_so_many_uploads_at_once(
    api: httpx.Client, valkey: "redis.Redis"
) -> None:
    later = datetime.now(UTC).timestamp() + 3600
    valkey.zadd(f"{UPLOADS}:anonymous", {f"upl_{n}": later for n in range(MAX_OPEN)})

    answer = api.post("/v1/uploads", json={"filename": "a.wav", "bytes": 1})

    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_uploads")
    assert "retry-after" in answer.headers


def test_however_many_begin_at_once_no_more_than_the_limit_stay(uploads: Uploads) -> None:
    barrier = threading.Barrier(8)
    added: list[str] = []

    def add(number: int) -> None:
        barrier.wait()
        try:
            uploads.add(an_upload(number), max_open=3)
            added.append(an_upload(number).id)
        except TooManyUploads:
            pass

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [number for number in range(8) if uploads.find(an_upload(number).id)]
    assert sorted(added) == [an_upload(number).id for number in found]
    assert len(found) <= 3
    uploads.add(an_upload(9, owner="bob"), max_open=1)


def test_the_limit_counts_neither_what_expired_nor_what_jobs_have_taken(
    uploads: Uploads, store: JobStore
) -> None:
    uploads.add(an_upload(1, seconds=-1), max_open=2)
    uploads.add(an_upload(2), max_open=2)
    uploads.complete(an_upload(2).id, "ann")
    claim = ClaimedUpload(upload_id=an_upload(2).id, owner="ann")
    store.add(a_job(owner="ann"), conditions=[claim])

    uploads.add(an_upload(3), max_open=1)
    with pytest.raises(TooManyUploads):
        uploads.add(an_upload(4), max_open=1)


def test_an_upload_goes_back_when_its_job_did_not_come_to_be(
    uploads: Uploads, store: JobStore, valkey: "redis.Redis"
) -> None:
    upload, job = an_upload(1), a_job(owner="ann")
    uploads.add(upload)
    uploads.complete(upload.id, "ann")
    claim = ClaimedUpload(upload_id=upload.id, owner="ann")
    with pytest.raises(QueueFull):
        store.add(job, max_queued=0, conditions=[claim])
    uploads.give_back(upload.id, "job_of_somebody_else")
    with pytest.raises(UploadUsed):
        uploads.withdraw(upload.id, "ann")

    uploads.give_back(upload.id, job.id)

    assert valkey.zscore(UPLOADS, upload.id) == pytest.approx(upload.expires_at.timestamp())
    store.add(a_job(owner="ann"), conditions=[ClaimedUpload(upload_id=upload.id, owner="ann")])


@pytest.mark.parametrize("is_complete", [False, True])
def test_what_no_job_took_in_time_is_deleted(
    api: httpx.Client,
    valkey: "redis.Redis",
    uploads: Uploads,
    files: JobFiles,
    housekeeper: Housekeeper,
    is_complete: bool,  # noqa: FBT001 - pytest's
) -> None:
    with httpx.Client() as storage:
        upload = begun(api)
        send(storage, upload, b'{"say": "hello"}')
        if is_complete:
            api.post(f"/v1/uploads/{upload['id']}/complete").raise_for_status()
        fresh = begun(api)["id"]
        let_expire(valkey, uploads, upload["id"], ago=timedelta(seconds=1))

        path = f"/v1/uploads/{upload['id']}"
        gone = [api.get(path), api.post(f"{path}/complete"), api.delete(path)]
        gone.append(job_of(api, upload["id"]))
        housekeeper.make_round()
        assert kept(files, upload["id"]) != []  # a request may be at it
        valkey.zadd(UPLOADS, {upload["id"]: datetime.now(UTC).timestamp() - 3600})
        housekeeper.make_round()

    assert [answer.status_code for answer in gone] == [404] * 4
    assert kept(files, upload["id"]) == []
    assert kept(files, fresh) != []
    assert uploads.find(upload["id"]) is None
    assert uploads.find(fresh) is not None


def test_an_upload_that_is_being_deleted_is_nobody_s(uploads: Uploads, store: JobStore) -> None:
    uploads.add(an_upload(1))
    uploads.complete(an_upload(1).id, "ann")

    uploads.withdraw(an_upload(1).id, "ann")

    with pytest.raises(UploadNotFound):
        uploads.get(an_upload(1).id, "ann")
    claim = ClaimedUpload(upload_id=an_upload(1).id, owner="ann")
    with pytest.raises(UploadNotFound):
        store.add(a_job(owner="ann"), conditions=[claim])
