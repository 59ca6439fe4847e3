"""What cannot be a batch is refused as a whole, and everything that is wrong with it is told."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis

from api.batch_request import MAX_BODY_BYTES, MAX_LINE_BYTES
from deploy.local.stack import Stack
from jobs.key_files import hash_of
from jobs.settings import StoreSettings
from tests.integration.batches_sent import BUCKET, VARIABLES, Archive, sent, urls
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import begun
from tests.integration.test_uploads import sent as sent_upload

KEYS = {name: f"wl_{name}_000000000000000000000000000000" for name in ("ann", "bob")}
MOST_ITEMS = 30
MOST_QUEUED = 40


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def archive(settings: StoreSettings) -> Archive:
    return Archive(settings)


@pytest.fixture(scope="module")
def url(stack: Stack, start_second_api: Callable[..., SecondApi]) -> str:
    return start_second_api(
        **(VARIABLES | {"ALLOW_PRIVATE_ADDRESSES": "false"}),
        API_KEYS=",".join(f"{name}:{hash_of(key)}" for name, key in KEYS.items()),
        MAX_BATCH_ITEMS=str(MOST_ITEMS),
        MAX_QUEUED_PER_OWNER=str(MOST_QUEUED),
    ).url


@pytest.fixture
def ann(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30, headers={"X-API-Key": KEYS["ann"]}) as client:
        yield client


@pytest.fixture
def bob(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30, headers={"X-API-Key": KEYS["bob"]}) as client:
        yield client


def refused(client: httpx.Client, body: Any, *, status: int = 422) -> dict[str, Any]:
    """Send a batch that must be refused; nothing of it may be kept."""
    sent = {"content": body} if isinstance(body, (bytes, str)) else {"json": body}
    answer = client.post("/v1/batches", **sent)
    assert answer.status_code == status, answer.text
    assert client.get("/v1/batches").json()["data"] == []
    assert client.get("/v1/jobs").json()["data"] == []
    problem: dict[str, Any] = answer.json()
    return problem


def pointers(problem: dict[str, Any]) -> dict[str, str]:
    return {fault["pointer"]: fault["code"] for fault in problem["errors"]}


def test_each_fault_is_told_with_where_it_is(ann: httpx.Client) -> None:
    good = urls(1)[0]
    problem = refused(
        ann,
        [
            good,
            {"source": {"url": "ftp://media.example.com/a.mp3"}},
            {"source": {"url": "http://127.0.0.1/a.mp3"}, "language": "klingon"},
            {**good, "options": {"min_speakers": 40}},
            {**good, "langage": "en"},
            {"language": "en"},
            "text",
            {**good, "diarize": True, "options": {"diarize": False}},
            {**good, "model": "huge"},
            {"source": {"s3_uri": "s3://another-bucket/a.wav"}},
            {**good, "webhook": {"url": "http://10.0.0.1/hook"}},
        ],
    )

    assert problem["code"] == "invalid_options"
    assert problem["detail"].startswith("10 of 11 items are at fault")
    assert pointers(problem) == {
        "/items/1/source": "invalid_source",
        "/items/2/source": "fetch_blocked",
        "/items/2/language": "value_error",
        "/items/3/options/min_speakers": "less_than_equal",
        "/items/4/langage": "extra_forbidden",
        "/items/5/source": "missing",
        "/items/6": "object_type",
        "/items/7/options": "given_twice",
        "/items/8/model": "unknown_model",
        "/items/9/source": "invalid_source",
        "/items/10/webhook/url": "webhook_blocked",
    }


def test_of_many_faults_the_first_twenty_are_told_and_how_many_items_have_any(
    ann: httpx.Client,
) -> None:
    problem = refused(ann, [{"source": {}} for _ in range(25)])

    assert len(problem["errors"]) == 20
    assert problem["detail"].startswith("25 of 25 items")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"options": {"language": "klingon"}}, "/options/language"),
        ({"options": {"model": "huge"}}, "/options/model"),
        ({"options": {"webhook": {"url": "http://10.0.0.1/h"}}}, "/options/webhook/url"),
        ({"webhook": {"url": "ftp://example.com/h"}}, "/webhook/url"),
        ({"webhook": {"url": "https://example.com/h", "events": ["no"]}}, "/webhook/events/0"),
        ({"tags": ["x"] * 21}, "/tags"),
        ({"metadata": {"text": "x" * 17_000}}, "/metadata"),
        ({"typo": 1}, "/typo"),
        ({"items": []}, "/items"),
        ({"items": None}, "/items"),
        ({"s3_prefix": "s3://batch-archive/"}, "/items"),
        ({"items": urls(MOST_ITEMS + 1)}, "/items"),
    ],
)
def test_a_fault_of_the_batch_itself_is_told(
    ann: httpx.Client, fields: dict[str, Any], pointer: str
) -> None:
    problem = refused(ann, {"items": urls(1), **fields})

    assert pointer in pointers(problem)


def test_lines_are_read_no_further_than_the_limits(ann: httpx.Client) -> None:
    ann.headers["Content-Type"] = "application/x-ndjson"

    many = refused(ann, "\n".join(map(json.dumps, urls(MOST_ITEMS + 1))))
    assert pointers(many) == {"/items": "too_long"}
    assert refused(ann, "")["code"] == "invalid_options"
    assert "line 2" in refused(ann, '{"source": {}}\n{"source"', status=400)["detail"]
    assert "line 1" in refused(ann, '{"metadata": {"n": NaN}}', status=400)["detail"]
    assert refused(ann, b" " * (MAX_LINE_BYTES + 1), status=413)["code"] == "too_large"


@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-ndjson", "multipart/form-data"]
)
def test_a_body_over_the_limit_is_refused_unread_and_while_it_is_read(
    ann: httpx.Client, kind: str
) -> None:
    ann.headers["Content-Type"] = f"{kind}; boundary=b"
    line = b"x" * 63 + b"\n" if kind == "application/json" else b"\n" * 64
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    chunks = [head, *([line * 16_384] * (MAX_BODY_BYTES // 2**20 + 1))]

    told = refused(ann, b"".join(chunks[kind != "multipart/form-data" :]), status=413)
    streamed = ann.post("/v1/batches", content=iter(chunks[kind != "multipart/form-data" :]))

    assert told["code"] == "too_large"
    assert streamed.status_code == 413


def test_a_body_of_another_kind_is_refused(ann: httpx.Client) -> None:
    ann.headers["Content-Type"] = "text/csv"
    assert refused(ann, "a,b", status=415)["code"] == "unsupported_content_type"
    ann.headers["Content-Type"] = "application/json"
    assert refused(ann, "{", status=400)["code"] == "malformed_request"
    assert refused(ann, "7")["code"] == "invalid_options"


def test_an_upload_makes_one_job_of_its_owner(ann: httpx.Client, bob: httpx.Client) -> None:
    with httpx.Client(timeout=60) as storage:
        mine, his = sent_upload(ann, storage), sent_upload(bob, storage)
    unfinished = begun(ann)["id"]

    def of(*ids: str) -> list[dict[str, Any]]:
        return [{"source": {"upload_id": upload_id}} for upload_id in ids]

    twice = refused(ann, of(mine, mine))
    foreign = refused(ann, of(mine, his, unfinished, f"upl_{'0' * 32}"))

    assert pointers(twice) == {"/items/1/source/upload_id": "given_twice"}
    assert pointers(foreign) == {
        "/items/1/source/upload_id": "upload_not_found",
        "/items/2/source/upload_id": "upload_incomplete",
        "/items/3/source/upload_id": "upload_not_found",
    }
    sent(ann, of(mine))
    again = ann.post("/v1/batches", json=of(mine))
    assert pointers(again.json()) == {"/items/0/source/upload_id": "upload_used"}


def test_a_batch_for_which_there_is_no_room_is_refused_as_a_whole(
    ann: httpx.Client, bob: httpx.Client, archive: Archive
) -> None:
    sent(ann, urls(MOST_ITEMS))
    kept = archive.objects("batches/")

    answer = ann.post("/v1/batches", json=urls(MOST_QUEUED - MOST_ITEMS + 1))

    assert (answer.status_code, answer.json()["code"]) == (429, "queue_full")
    assert int(answer.headers["retry-after"]) > 0
    assert archive.objects("batches/") == kept
    sent(ann, urls(MOST_QUEUED - MOST_ITEMS))
    sent(bob, urls(1))
    assert len(ann.get("/v1/batches").json()["data"]) == 2


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("s3://another-bucket/x", "SOURCE_BUCKETS"),
        ("s3://whisperline/jobs/", "SOURCE_BUCKETS"),
        (f"s3://{BUCKET}/nothing-here/", "no media"),
        ("https://example.com/", "s3://bucket/prefix/"),
        (f"s3://{BUCKET}/many/", "too much"),
    ],
)
def test_a_prefix_that_makes_no_batch_is_refused(
    ann: httpx.Client, archive: Archive, prefix: str, says: str
) -> None:
    if prefix.endswith("many/"):
        for number in range(MOST_ITEMS + 1):
            key = f"many/{number}.wav"
            archive.client.put_object(Bucket=BUCKET, Key=key, Body=b"x")

    problem = refused(ann, {"s3_prefix": prefix})

    assert problem["code"] == "invalid_source"
    assert says in problem["detail"]


def test_another_owner_s_batch_is_not_there(ann: httpx.Client, bob: httpx.Client) -> None:
    batch = sent(ann, urls(1))
    root = f"/v1/batches/{batch['id']}"

    for method, path in [
        ("GET", root),
        ("GET", f"{root}/results"),
        ("POST", f"{root}/cancel"),
        ("DELETE", root),
    ]:
        answer = bob.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found"), path
    assert bob.get("/v1/batches").json()["data"] == []
    assert bob.get("/v1/jobs", params={"batch_id": batch["id"]}).json()["data"] == []
    assert ann.delete(root).status_code == 204
    assert bob.get(root).status_code == 404
    assert ann.get(root).json()["code"] == "batch_purged"
    assert ann.get(f"{root}/results", params={"format": "exe"}).json()["code"] == "unknown_format"
