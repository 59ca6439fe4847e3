"""Watching real speech being recognised."""

from pathlib import Path

import httpx

from deploy.local.stack import Stack
from tests.events_read import names, read, texts, told, watching


def test_the_text_that_is_watched_is_the_text_of_the_transcript(
    service: Stack, http: httpx.Client, call: Path
) -> None:
    answer = http.post(
        "/v1/jobs",
        data={"model": "tiny.en", "language": "en"},
        files={"file": (call.name, call.read_bytes())},
    )
    job_id = answer.json()["id"]

    with watching(service.url, job_id) as events:
        found = list(events)

    transcript = http.get(f"/v1/jobs/{job_id}/transcript", params={"format": "json"}).json()
    assert texts(found).split() == transcript["text"].split()
    assert told(found[-1]) == http.get(f"/v1/jobs/{job_id}").json()
    kinds = names(found)
    assert (kinds[0], kinds[-1]) == ("status", "done")
    assert told(found[-1])["status"] == "succeeded"
    # The text comes while the voices are still to be told apart.
    first = kinds.index("segment")
    diarizing = [told(event).get("stage") for event in found if event.event != "message"].index(
        "diarize"
    )
    assert first < diarizing
    again = http.get(f"/v1/jobs/{job_id}/events")
    assert texts(read(again.content)) == texts(found)
