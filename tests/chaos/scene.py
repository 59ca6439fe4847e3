"""Put up the whole service for the chaos to come: real servers and programs, small pipelines."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import redis
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.local.processes import Process
from deploy.local.stack import Ports, Stack
from jobs import queue as broker
from jobs import redis_client
from jobs.errors import Unavailable
from jobs.job import Job
from jobs.leases import Leases
from jobs.status import JobStatus
from jobs.store import JobStore
from jobs.workers import WorkerRegistry

LAUNCHERS = 2
SLOTS = 2  # jobs at once in each process, so that a crash has neighbours
_LAUNCHER = [sys.executable, "-m", "tests.chaos.launcher"]
_SETTINGS = {
    "API_PROCESSES": "2",
    "JOBS_PER_WORKER": str(SLOTS),
    "DRAIN_SECONDS": "3",
    "STALL_SECONDS": "15",
    "MAX_QUEUED_PER_OWNER": "100000",
    "REQUESTS_PER_MINUTE": "10000000",
    "DEVICE": "cpu",
}


class Scene:
    """The running service, and what it takes to hurt and mend it. Each part has its lock."""

    def __init__(self, directory: Path) -> None:
        self.stack = Stack(
            directory=directory, ports=Ports.free(), outlives_us=False, settings=_SETTINGS
        )
        self._programs: dict[str, Process] = {}
        self._locks: dict[str, threading.Lock] = {}
        # All are started by one thread: a program ends with the thread that started it.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")

    def __enter__(self) -> "Scene":
        try:
            for name in ("valkey", "seaweedfs", *self.names):
                self.start(name)
            self._client = redis_client.connect(self.stack.valkey.url)
            self.celery = broker.connect(self.stack.store_settings)
            self.store = JobStore(self._client)
            self.leases = Leases(self._client, self.store)
        except BaseException:
            self.stack.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        for name in self._programs:
            self.resume(name)
        self.stack.stop()
        self._starter.shutdown()

    @property
    def names(self) -> tuple[str, ...]:
        """The programs of the service; servers are not among them."""
        return ("api", "housekeeper", "housekeeper-2", *self.launchers)

    @property
    def launchers(self) -> tuple[str, ...]:
        """The programs that run jobs."""
        return tuple(f"worker-{number}" for number in range(LAUNCHERS))

    def lock(self, name: str) -> threading.Lock:
        """Return what keeps two faults from the same part of the service."""
        return self._locks.setdefault(name, threading.Lock())

    def start(self, name: str) -> None:
        """Start a program or a server, again or for the first time, and wait until it answers."""
        self._starter.submit(self._start, name).result()

    def _start(self, name: str) -> None:
        stack = self.stack
        if name == "api":
            self._programs[name] = stack.start_api()
        elif name == "valkey":
            self._programs[name] = stack.start_valkey()
        elif name == "seaweedfs":
            self._programs[name] = stack.start_seaweedfs()
        elif name.startswith("housekeeper"):
            self._programs[name] = stack.start(
                name, [sys.executable, "-m", "worker", "housekeeper"]
            )
        else:
            self._programs[name] = stack.start(name, _LAUNCHER, variables={"WORKER_NAME": name})
        self.stack.forget_dead()

    def kill(self, name: str) -> None:
        """End a program as a crash would; the API with its processes, which hold its port."""
        children = self.children(name) if name == "api" else []
        self._programs[name].kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):  # it has noticed already that it is alone
                child.kill()
                child.wait(5)

    def stop(self, name: str) -> None:
        """Ask a program to end, and wait until it has."""
        self._programs[name].stop(within_seconds=30)

    def pause(self, pid: int) -> None:
        """Let a process stand still."""
        psutil.Process(pid).suspend()

    def resume(self, name: str) -> None:
        """Let a program go on that may stand still."""
        self.go_on(self._programs[name].pid)

    def go_on(self, pid: int) -> None:
        """Let a process go on; nothing happens if it is gone, or never stood still."""
        try:
            psutil.Process(pid).resume()
        except psutil.NoSuchProcess:
            return

    def pid(self, name: str) -> int:
        """Return the id of a program."""
        return self._programs[name].pid

    def children(self, name: str) -> list[psutil.Process]:
        """Return the processes that a program has started."""
        try:
            return psutil.Process(self.pid(name)).children()
        except psutil.NoSuchProcess:
            return []

    @retry(
        retry=retry_if_exception_type((redis.RedisError, Unavailable)),
        stop=stop_after_delay(60),
        wait=wait_fixed(0.2),
    )
    def running(self) -> list[Job]:
        """Return the jobs in work at this moment, or as soon as Valkey tells."""
        ids = self._client.zrange("whisperline:leases", 0, -1)
        return [
            job
            for job in self.store.get_many([str(each) for each in ids])
            if job.status is JobStatus.RUNNING
        ]

    @property
    def redis(self) -> "redis.Redis":
        """A client of the server, for what no program does."""
        return self._client

    def what_redis_holds(self) -> list[str]:
        """Return a line for each key but the records, so that one can see what jobs wait for."""
        readers: dict[str, Callable[[str], object]] = {
            "string": self._client.get,
            "list": lambda key: self._client.lrange(key, 0, 20),
            "hash": self._client.hgetall,
            "set": self._client.smembers,
            "zset": lambda key: self._client.zrange(key, 0, 20, withscores=True),
        }
        keys = sorted(
            str(key)
            for key in self._client.scan_iter()
            if not str(key).startswith(("whisperline:job:", "whisperline:name:"))
        )
        kinds = [(key, str(self._client.type(key))) for key in keys]
        return [f"{key} {readers[kind](key)!s:.2000}" for key, kind in kinds if kind in readers]

    def valkey_answers(self) -> bool:
        """Whether our own client asks Valkey again, which it spares where that was silent."""
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def is_up(self) -> bool:
        """Whether every launcher has a worker that takes jobs."""
        return len(WorkerRegistry(self._client).alive()) >= LAUNCHERS

    def lives(self) -> bool:
        """Whether the API answers, be it that something which it needs is away."""
        try:
            return httpx.get(f"{self.stack.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def wait(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until something holds; False: it took longer."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True
