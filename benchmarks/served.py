"""Send media through the whole service, API and worker and servers, as a client does."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from deploy.local.stack import Ports, Stack

WAIT_SECONDS = 60  # of one request for a job's end; then it asks again
FETCH, STORE = "fetch", "store"  # the stages that are not the pipeline's


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How one backlog went through the service."""

    seconds: float  # from the first upload's begin until the client knew of the last job's end
    texts: list[str]
    idle: dict[str, float]  # seconds in which the pipeline computed nothing, by why


class Service:
    """The local stack with one worker; its models are loaded when the block begins."""

    def __init__(self, *, jobs_at_once: int) -> None:
        self._jobs_at_once = jobs_at_once
        self._open = ExitStack()

    def __enter__(self) -> Self:
        from tempfile import TemporaryDirectory

        directory = TemporaryDirectory(prefix="whisperline-benchmark-")
        stack = Stack(
            directory=Path(self._open.enter_context(directory)),
            ports=Ports.free(),
            outlives_us=False,
            settings={
                "DEVICE": "cpu",
                "JOBS_PER_WORKER": str(self._jobs_at_once),
                "REQUESTS_PER_MINUTE": "0",
            },
        )
        self._open.callback(stack.stop)
        try:
            stack.start_servers()
            stack.start_programs(with_flower=False)
            client = httpx.Client(base_url=stack.url, timeout=WAIT_SECONDS + 60)
            self._http = self._open.enter_context(client)
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def drain(self, media: Sequence[Path], options: Mapping[str, str]) -> Served:
        """Upload files in their order, one after the other, and wait until all are done.

        Raises:
            RuntimeError: a job did not succeed.
        """
        sent_at, began = time.time(), time.perf_counter()
        ids = [self._submit(path, options) for path in media]
        jobs = [self._ended(job_id) for job_id in ids]
        seconds = time.perf_counter() - began
        texts = [self._get(job["links"]["transcript"])["text"] for job in jobs]
        return Served(seconds=seconds, texts=texts, idle=idle(jobs, sent_at, sent_at + seconds))

    def _submit(self, media: Path, options: Mapping[str, str]) -> str:
        with media.open("rb") as file:
            answer = self._http.post("/v1/jobs", data=dict(options), files={"file": file})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _ended(self, job_id: str) -> dict[str, Any]:
        while True:
            job = self._get(f"/v1/jobs/{job_id}", wait=WAIT_SECONDS)
            if job["status"] == "succeeded":
                return job
            if job["finished_at"] is not None:
                msg = f"{job['media']['filename']} {job['status']}: {job['error']}"
                raise RuntimeError(msg)

    def _get(self, path: str, **asked: Any) -> dict[str, Any]:
        answer = self._http.get(path, params=asked)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def idle(jobs: Sequence[Mapping[str, Any]], sent_at: float, told_at: float) -> dict[str, float]:
    """Return where the time of a backlog goes, beside the pipeline, if jobs run one at a time.

    Args:
        jobs: as the API shows them when they are over.
        sent_at: when the first upload began, in seconds since 1970.
        told_at: when the client knew of the last job's end, in seconds since 1970.

    Returns:
        Seconds by reason; together they and the pipeline's own stages are the whole time.
    """
    in_order = sorted(jobs, key=lambda job: str(job["started_at"]))
    starts = [_second(job["started_at"]) for job in in_order]
    ends = [_second(job["finished_at"]) for job in in_order]
    spent = [
        {stage["name"]: float(stage["seconds"]) for stage in job["stages"]} for job in in_order
    ]
    ran = sum(end - start for start, end in zip(starts, ends, strict=True))
    return {
        "upload and first claim": starts[0] - sent_at,
        "from a job's end to the next one's claim": sum(
            following - end for end, following in zip(ends, starts[1:], strict=False)
        ),
        "media from storage": sum(each.get(FETCH, 0.0) for each in spent),
        "transcripts to storage": sum(each.get(STORE, 0.0) for each in spent),
        "a job's own records": ran - sum(sum(each.values()) for each in spent),
        "until the client knows": told_at - ends[-1],
    }


def _second(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
