"""Many jobs under one id, through the real servers."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from deploy.local.processes import Process
from deploy.local.stack import Stack
from jobs.settings import StoreSettings
from tests.integration.batches_sent import (
    BUCKET,
    VARIABLES,
    Archive,
    item,
    lines,
    over,
    read,
    sent,
    urls,
)
from tests.integration.second_api import SecondApi
from tests.integration.test_uploads import sent as sent_upload

StartWorker = Callable[..., Process]


@pytest.fixture(autouse=True)
def _empty(valkey: "redis.Redis") -> None:
    """Every test begins with an empty Valkey."""


@pytest.fixture
def archive(settings: StoreSettings) -> Archive:
    return Archive(settings)


@pytest.fixture(scope="module")
def url(stack: Stack, start_second_api: Callable[..., SecondApi]) -> str:
    return start_second_api(**VARIABLES).url


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_a_batch_runs_to_its_end_and_its_results_come_in_the_order_of_its_items(
    api: httpx.Client, archive: Archive, start_worker: StartWorker
) -> None:
    start_worker()
    scripts = {f"n{n}": {"say": f"number {n}"} for n in range(6)} | {"bad": {"fail": "corrupt"}}
    batch = sent(api, archive.put(**scripts), external_id="monday", tags=["calls"])
    done = over(api, batch)

    assert done["counts"] == {
        **dict.fromkeys(("queued", "running", "canceled", "deleted"), 0),
        "succeeded": 6,
        "failed": 1,
    }
    assert (done["status"], done["progress"], done["eta_seconds"]) == ("completed", 1.0, 0.0)
    assert (done["external_id"], done["tags"], done["total"]) == ("monday", ["calls"], 7)
    found = lines(api, batch)
    assert [line["options"]["external_id"] for line in found] == list(scripts)
    assert [line["transcript"]["text"] for line in found[:6]] == [f"number {n}" for n in range(6)]
    assert found[6]["transcript"] is None
    assert found[6]["error"]["code"] == "corrupt_media"
    assert {line["options"]["priority"] for line in found} == {"batch"}


def test_the_archive_holds_a_file_for_each_transcript_and_a_list_of_all_jobs(
    api: httpx.Client, archive: Archive, start_worker: StartWorker
) -> None:
    items = archive.put(one={"say": "first"}, two={"say": "second"}, bad={"fail": "corrupt"})
    items[0]["external_id"] = items[1]["external_id"] = "../../etc/\u0007passwd"
    start_worker()
    batch = sent(api, items)
    over(api, batch)

    answer = api.get(f"/v1/batches/{batch['id']}/results", params={"format": "srt"})

    assert answer.headers["content-type"] == "application/zip"
    assert f"filename={batch['id']}.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert names == ["_.._etc__passwd.srt", "_.._etc__passwd-2.srt", "results.jsonl"]
        assert b"second" in packed.read(names[1])
        listed = [json.loads(line) for line in packed.read("results.jsonl").splitlines()]
    assert [line["file"] for line in listed] == [*names[:2], None]
    assert listed[2]["error"]["code"] == "corrupt_media"


def test_captions_in_the_archive_are_as_asked_for(
    api: httpx.Client, archive: Archive, start_worker: StartWorker
) -> None:
    start_worker()
    batch = sent(api, archive.put(one={"say": "hello"}))
    over(api, batch)

    asked = {"format": "vtt", "speaker_labels": "false"}
    answer = api.get(f"/v1/batches/{batch['id']}/results", params=asked)

    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert b"SPEAKER_00" not in packed.read("one.vtt")


def test_what_is_not_finished_or_deleted_is_listed_as_such(api: httpx.Client) -> None:
    batch = sent(api, urls(3))
    job = lines(api, batch)[1]["id"]
    assert api.delete(f"/v1/jobs/{job}").status_code == 204

    found = lines(api, batch)
    assert [line["status"] for line in found] == ["queued", "deleted", "queued"]
    assert found[1]["id"] == job
    assert [line["transcript"] for line in found] == [None] * 3
    assert read(api, batch)["counts"]["deleted"] == 1
    packed = api.get(f"/v1/batches/{batch['id']}/results", params={"format": "txt"}).content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        listed = [json.loads(line) for line in archive.read("results.jsonl").splitlines()]
    assert [line["status"] for line in listed] == ["queued", "deleted", "queued"]


def test_a_head_of_results_is_answered_without_reading_any(
    api: httpx.Client, archive: Archive
) -> None:
    batch = sent(api, urls(2))
    archive.client.delete_object(Bucket=archive.bucket, Key=f"batches/{batch['id']}/jobs.jsonl")

    assert api.get(f"/v1/batches/{batch['id']}/results").status_code == 503
    assert api.head(f"/v1/batches/{batch['id']}/results").status_code == 200


def test_lines_a_form_and_a_bare_list_say_the_same_as_an_object(
    api: httpx.Client, valkey: "redis.Redis"
) -> None:
    items = [item("one"), item("two")]
    manifest = "\n".join(json.dumps(each) for each in items) + "\n\n"
    said = [
        {"json": {"items": items}},
        {"json": items},
        {"content": manifest, "headers": {"Content-Type": "application/x-ndjson"}},
        {"content": manifest, "headers": {"Content-Type": "application/jsonl"}},
        {"files": {"file": ("jobs.jsonl", manifest)}},
    ]
    for each in said:
        answer = api.post("/v1/batches", **each)  # type: ignore[arg-type]
        assert answer.status_code == 202, answer.text
        found = lines(api, answer.json())
        assert [line["source"]["s3_uri"] for line in found] == [
            each["source"]["s3_uri"] for each in items
        ]


def test_an_item_s_options_win_over_those_of_the_batch(api: httpx.Client) -> None:
    items = [
        {**item("one"), "language": "de"},
        {**item("two"), "options": {"language": "fr", "priority": "normal"}},
        item("three"),
    ]
    answer = api.post(
        "/v1/batches",
        data={
            "options": '{"language": "en", "diarize": false, "tags": ["all"]}',
            "external_id": "form",
            "tags": ["a,b", "c"],
            "metadata": '{"case": 7}',
        },
        files={"file": ("jobs.jsonl", "\n".join(map(json.dumps, items)))},
    )

    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert (batch["tags"], batch["metadata"]) == (["a", "b", "c"], {"case": 7})
    options = [line["options"] for line in lines(api, batch)]
    assert [each["language"] for each in options] == ["de", "fr", "en"]
    assert [each["priority"] for each in options] == ["batch", "normal", "batch"]
    assert {each["diarize"] for each in options} == {False}
    assert options[0]["tags"] == ["all"]


def test_a_prefix_stands_for_all_media_below_it(api: httpx.Client, archive: Archive) -> None:
    for key, content in {
        "calls/b.wav": b"b",
        "calls/a.MP3": b"a",
        "calls/2026/c.flac": b"c",
        "calls/empty.wav": b"",
        "calls/notes.txt": b"t",
        "calls/.hidden.wav": b"h",
        "other/d.wav": b"d",
    }.items():
        archive.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    asked = {"s3_prefix": f"s3://{BUCKET}/calls/", "options": {"language": "en"}}
    answer = api.post("/v1/batches", json=asked)

    assert answer.status_code == 202, answer.text
    found = lines(api, answer.json())
    keys = [line["source"]["s3_uri"].removeprefix(f"s3://{BUCKET}/calls/") for line in found]
    assert keys == ["2026/c.flac", "a.MP3", "b.wav"]
    assert {line["options"]["language"] for line in found} == {"en"}


def test_uploads_become_the_media_of_their_jobs(
    api: httpx.Client, start_worker: StartWorker
) -> None:
    with httpx.Client(timeout=60) as storage:
        ids = [
            sent_upload(api, storage, json.dumps({"say": say}).encode()) for say in ("one", "two")
        ]
    start_worker()
    batch = sent(api, [{"source": {"upload_id": upload_id}} for upload_id in ids])
    over(api, batch)

    assert [line["transcript"]["text"] for line in lines(api, batch)] == ["one", "two"]
    assert api.get(f"/v1/uploads/{ids[0]}").json()["job_id"] == lines(api, batch)[0]["id"]


def test_batches_are_listed_newest_first_a_page_at_a_time(api: httpx.Client) -> None:
    ids = [sent(api, urls(1))["id"] for _ in range(3)]

    first = api.get("/v1/batches", params={"limit": 2}).json()
    rest = api.get("/v1/batches", params={"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [each["id"] for each in first["data"]] == [ids[2], ids[1]]
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([ids[0]], False)
    jobs = api.get("/v1/jobs", params={"batch_id": ids[0]}).json()["data"]
    assert [job["batch_id"] for job in jobs] == [ids[0]]


def test_the_same_request_with_the_same_key_is_the_same_batch(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "nightly"}
    first = api.post("/v1/batches", json={"items": urls(2)}, headers=headers)
    again = api.post("/v1/batches", json=urls(2), headers=headers)
    other = api.post("/v1/batches", json=urls(3), headers=headers)
    job = api.post("/v1/jobs", json=urls(1)[0], headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert (job.status_code, job.json()["code"]) == (422, "idempotency_mismatch")
    assert len(api.get("/v1/batches").json()["data"]) == 1


def test_how_long_it_takes_is_guessed_from_what_was_done_before(
    api: httpx.Client, archive: Archive, start_worker: StartWorker
) -> None:
    start_worker()
    unknown = sent(api, archive.put(first={"seconds": 0.2}))
    assert unknown["eta_seconds"] is None
    over(api, unknown)

    few = sent(api, archive.put(**{f"long{n}": {"seconds": 5} for n in range(4)}))
    many = sent(api, urls(200))

    few, many = read(api, few), read(api, many)
    assert 0 < few["eta_seconds"] < many["eta_seconds"]
