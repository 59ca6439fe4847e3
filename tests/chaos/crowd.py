"""Clients as they are: they send, ask again when nobody answers, and look how their jobs are."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.accounts import Accounts, Expected, Promise, ended

SENDERS = 6
MOST_WAITING = 120  # of promises that are open, before senders pause
_ANSWER_SECONDS = 30.0
_AGAIN_SECONDS = 0.3
_LOOK_SECONDS = 0.5


class Crowd:
    """Submits jobs until there are enough, and follows each to its end.

    Args:
        url: of the API.
        accounts: where promises are written down.
        seed: of all that is random.
        scratch: a folder for the marks of what happens once.
    """

    def __init__(self, url: str, accounts: Accounts, *, seed: int, scratch: Path) -> None:
        self._url = url
        self._accounts = accounts
        self._seed = seed
        self._scratch = scratch
        self._lock = threading.Lock()
        self._left = 0
        self._sent = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.refused: list[str] = []  # submissions for which there was no reason
        self.unavailable = 0  # answers of 503 and broken connections; all of them were asked again

    def start(self, jobs: int) -> None:
        """Begin to send this many jobs."""
        self._left = jobs
        for number in range(SENDERS):
            self._run(self._send_all, number)
        self._run(self._follow, 0)

    @property
    def is_sending(self) -> bool:
        """Whether not all jobs are sent yet."""
        return any(thread.is_alive() for thread in self._threads[:SENDERS])

    def stop(self) -> None:
        """Send no more, and look no longer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def look_again(self) -> None:
        """See whether what ended is still what it was: not lost, and with the same transcript."""
        with httpx.Client(base_url=self._url, timeout=_ANSWER_SECONDS) as client:
            for promise in self._accounts.all():
                self._compare(client, promise)

    def _compare(self, client: httpx.Client, promise: Promise) -> None:
        if promise.ended_at is None or promise.status == "deleted":
            return
        status, code, text = self._seen(client, promise)
        if (status, code) != (promise.status, promise.code):
            promise.faults.append(
                f"doubled: {promise.code or promise.status}, then {code or status}"
            )
        elif text != promise.text:
            promise.faults.append(f"doubled: {promise.text!r}, then {text!r}")
        named = self._ask(client, "GET", "/v1/jobs", params={"external_id": promise.client_id})
        if len(named.json()["data"]) != 1:
            promise.faults.append(f"doubled: {len(named.json()['data'])} jobs of one submission")

    def _run(self, target: Any, number: int) -> None:
        thread = threading.Thread(target=target, args=(number,), name=f"crowd-{number}")
        self._threads.append(thread)
        thread.start()

    def _send_all(self, number: int) -> None:
        chance = random.Random(f"{self._seed}-{number}")  # noqa: S311  # to be had again
        with httpx.Client(base_url=self._url, timeout=_ANSWER_SECONDS) as client:
            while not self._stop.is_set():
                if len(self._accounts.open()) > MOST_WAITING:
                    self._stop.wait(0.2)
                    continue
                with self._lock:
                    if self._left <= 0:
                        return
                    self._left -= 1
                    self._sent += 1
                    serial = self._sent
                self._send(client, f"chaos-{self._seed}-{serial}", chance)

    def _send(self, client: httpx.Client, client_id: str, chance: random.Random) -> None:
        expected, script = self._script(client_id, chance)
        files = {"file": ("call.wav", json.dumps(script).encode())}
        options = {"external_id": client_id}
        answer = self._ask(client, "PUT", f"/v1/jobs/{client_id}", data=options, files=files)
        if answer.status_code not in (200, 202):
            if not self._stop.is_set():
                self.refused.append(f"{client_id}: {answer.status_code} {answer.text[:200]}")
            return
        promise = Promise(
            job_id=answer.json()["id"],
            client_id=client_id,
            says=script["say"],
            expected=expected,
            accepted_at=time.monotonic(),
        )
        self._accounts.accept(promise)
        if expected is Expected.CANCELED:
            self._ask(client, "POST", f"/v1/jobs/{promise.job_id}/cancel")
        elif expected is Expected.DELETED:
            self._ask(client, "DELETE", f"/v1/jobs/{promise.job_id}")

    def _script(self, client_id: str, chance: random.Random) -> tuple[Expected, dict[str, Any]]:
        script: dict[str, Any] = {"say": client_id, "seconds": round(chance.uniform(0.0, 0.5), 2)}
        script["nonce"] = True
        draw = chance.random()
        for share, expected, words in _FATES:
            draw -= share
            if draw < 0:
                script |= words
                if "once" in words:
                    script["evil_once"] = str(self._scratch / client_id)
                return expected, script
        return Expected.SUCCEEDED, script

    def _follow(self, _: int) -> None:
        with httpx.Client(base_url=self._url, timeout=_ANSWER_SECONDS) as client:
            while not self._stop.is_set():
                for promise in self._due():
                    self._look(client, promise)
                self._stop.wait(_LOOK_SECONDS)

    def _due(self) -> Iterator[Promise]:
        for promise in self._accounts.open():
            if self._stop.is_set():
                return
            yield promise

    def _look(self, client: httpx.Client, promise: Promise) -> None:
        status, code, text = self._seen(client, promise)
        if status in ("succeeded", "failed", "canceled", "deleted"):
            ended(promise, status, code, text)

    def _seen(self, client: httpx.Client, promise: Promise) -> tuple[str, str | None, str | None]:
        answer = self._ask(client, "GET", f"/v1/jobs/{promise.job_id}")
        if answer.status_code in (404, 410):
            if promise.expected is Expected.DELETED:
                return "deleted", None, None
            if answer.status_code == 404:
                promise.faults.append("lost: the service knows nothing of it")
                return "deleted", None, None
        job = answer.json()
        promise.attempt = job.get("attempt", 0)
        code = job["error"]["code"] if job.get("error") else None
        if job["status"] != "succeeded":
            return job["status"], code, None
        found = self._ask(client, "GET", f"/v1/jobs/{promise.job_id}/transcript")
        if found.status_code != 200:
            return ("deleted" if found.status_code in (404, 410) else "running"), None, None
        return "succeeded", None, found.json()["text"]

    def _ask(self, client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask until somebody answers who can."""
        while True:
            with suppress(httpx.TransportError):
                answer = client.request(method, path, **more)
                # 409: an API that was killed had begun to receive it; its claim runs out.
                is_later = answer.status_code in (429, 503) or (
                    method == "PUT" and answer.status_code == 409
                )
                if not is_later or self._stop.is_set():
                    return answer
            with self._lock:
                self.unavailable += 1
            if self._stop.is_set():
                return httpx.Response(503, request=httpx.Request(method, self._url))
            time.sleep(_AGAIN_SECONDS)


# What else may come of a job, and how often.
_FATES: tuple[tuple[float, Expected, dict[str, Any]], ...] = (
    (0.005, Expected.SUCCEEDED, {"segfault": True, "once": True}),
    (0.002, Expected.CRASHES, {"segfault": True}),
    (0.002, Expected.SUCCEEDED, {"hang": 60, "once": True}),
    (0.001, Expected.HANGS, {"hang": 60}),
    (0.004, Expected.SUCCEEDED, {"eat": 64, "once": True}),
    (0.002, Expected.EATS, {"eat": 64}),
    (0.010, Expected.CORRUPT, {"fail": "corrupt"}),
    (0.030, Expected.CANCELED, {}),
    (0.020, Expected.DELETED, {}),
)
