"""Send media through the whole service, API and worker and servers, as a client does."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from benchmarks.processor_time import processor_seconds
from deploy.local.stack import Ports, Stack

WAIT_SECONDS = 60  # of one request for a job's end; then it asks again
PIPELINE = "pipeline: "  # before the stages that are the pipeline's own
_FETCH, _STORE = "fetch", "store"  # those that are not


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """How one backlog went through the service."""

    seconds: float  # from the first upload's begin until the client knew of the last job's end
    texts: list[str]
    account: dict[str, float]  # seconds by what they went into
    processor: dict[str, float]  # seconds of processor time, by program


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
        self._stack = stack
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
        before = self._processor_seconds()
        sent_at, began = time.time(), time.perf_counter()
        ids = [self._submit(path, options) for path in media]
        jobs = [self._ended(job_id) for job_id in ids]
        seconds = time.perf_counter() - began
        processor = {
            name: taken - before[name] for name, taken in self._processor_seconds().items()
        }
        texts = [self._get(job["links"]["transcript"])["text"] for job in jobs]
        return Served(
            seconds=seconds,
            texts=texts,
            account=account(jobs, sent_at, sent_at + seconds),
            processor=processor,
        )

    def _processor_seconds(self) -> dict[str, float]:
        return {each.name: processor_seconds(each.pid) for each in self._stack.processes}

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


def account(jobs: Sequence[Mapping[str, Any]], sent_at: float, told_at: float) -> dict[str, float]:
    """Return what the time of a backlog goes into, if jobs run one at a time.

    Args:
        jobs: as the API shows them when they are over.
        sent_at: when the first upload began, in seconds since 1970.
        told_at: when the client knew of the last job's end, in seconds since 1970.

    Returns:
        Seconds, in all the whole time. In those that do not begin with PIPELINE it does nothing.
    """
    in_order = sorted(jobs, key=lambda job: str(job["started_at"]))
    starts = [_second(job["started_at"]) for job in in_order]
    ends = [_second(job["finished_at"]) for job in in_order]
    stages: Counter[str] = Counter()
    for job in in_order:
        stages.update({stage["name"]: stage["seconds"] for stage in job["stages"]})
    ran = sum(end - start for start, end in zip(starts, ends, strict=True))
    return {
        "upload and first claim": starts[0] - sent_at,
        "from a job's end to the next one's claim": sum(
            following - end for end, following in zip(ends, starts[1:], strict=False)
        ),
        "media from storage": stages[_FETCH],
        "transcripts to storage": stages[_STORE],
        "a job's own records": ran - stages.total(),
        "until the client knows": told_at - ends[-1],
        **{
            f"{PIPELINE}{name}": seconds
            for name, seconds in stages.items()
            if name not in (_FETCH, _STORE)
        },
    }


def _second(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
