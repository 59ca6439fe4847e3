"""Put the whole service together on one machine: servers, API, worker and its company."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import SecretStr

from deploy.local.processes import Process, start, wait_until
from deploy.local.servers import LOOPBACK, SeaweedFS, Valkey, free_ports, is_listening
from jobs import redis_client
from jobs import s3_client as s3
from jobs.errors import StorageUnavailable, StoreUnavailable
from jobs.files import JobFiles
from jobs.settings import StoreSettings
from jobs.store import JobStore
from jobs.workers import WorkerRegistry

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "whisperline"
_MODEL_START_SECONDS = 300.0  # a first start may fetch models


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Which loopback ports the stack answers on."""

    api: int
    flower: int
    s3: int
    valkey: int

    @classmethod
    def usual(cls) -> "Ports":
        """Return the ports that `make up` uses and the README names."""
        return cls(api=9000, flower=5555, s3=8333, valkey=6390)

    @classmethod
    def free(cls) -> "Ports":
        """Return ports that are free at this moment."""
        api, flower, s3, valkey = free_ports(4)
        return cls(api=api, flower=flower, s3=s3, valkey=valkey)


class PortTaken(RuntimeError):
    """Somebody else listens where the stack wants to."""


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running service, or one about to start. Its processes are written down in `directory`."""

    directory: Path  # data, logs and process ids; survives a restart
    ports: Ports
    outlives_us: bool
    settings: Mapping[str, str] = field(default_factory=dict)  # below the environment's own
    valkey: Valkey = field(init=False)
    seaweedfs: SeaweedFS = field(init=False)
    flower_password: str = field(init=False, repr=False)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        keys = self._kept_secrets()
        self.flower_password = keys["flower"]
        self.valkey = Valkey(
            directory=self.directory / "valkey", port=self.ports.valkey, password=keys["valkey"]
        )
        self.seaweedfs = SeaweedFS(
            directory=self.directory / "seaweedfs",
            port=self.ports.s3,
            inner_ports=tuple(free_ports(7)),
            access_key=keys["access"],
            secret_key=keys["secret"],
        )

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://{LOOPBACK}:{self.ports.api}"

    @property
    def store_settings(self) -> StoreSettings:
        """Return how to reach the servers, for a client inside this process."""
        return StoreSettings(
            redis_url=SecretStr(self.valkey.url),
            s3_endpoint_url=self.seaweedfs.url,
            s3_bucket=BUCKET,
            aws_access_key_id=SecretStr(self.seaweedfs.access_key),
            aws_secret_access_key=SecretStr(self.seaweedfs.secret_key),
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return what the programs of the stack read their settings from."""
        return {
            **self.settings,
            **os.environ,
            **self.seaweedfs.environment,
            "REDIS_URL": self.valkey.url,
            "S3_ENDPOINT_URL": self.seaweedfs.url,
            "S3_BUCKET": BUCKET,
            "PYTHONUNBUFFERED": "1",
            "FLOWER_BASIC_AUTH": f"whisperline:{self.flower_password}",
        }

    def start_servers(self) -> None:
        """Start Valkey and SeaweedFS, and make the bucket."""
        self._claim_ports(self.ports.valkey, self.ports.s3)
        self.start_valkey()
        self.start_seaweedfs()

    def start_valkey(self) -> Process:
        """Start Valkey, with what an earlier run of it has written."""
        return self.start("valkey", self.valkey.command(), ready=self._valkey_answers, seconds=20)

    def start_seaweedfs(self) -> Process:
        """Start SeaweedFS, with what an earlier run of it has written, and make the bucket."""
        return self.start(
            "seaweedfs", self.seaweedfs.command(), ready=self._bucket_is_there, seconds=60
        )

    def start_programs(self, *, with_flower: bool, with_courier: bool = True) -> None:
        """Start the worker, its company and the API; ready means that a job would run."""
        worker = self.start("worker", [sys.executable, "-m", "worker"])
        for role in ("housekeeper", *(("courier",) if with_courier else ())):
            self.start(role, [sys.executable, "-m", "worker", role])
        if with_flower:
            self._claim_ports(self.ports.flower)
            self.start("flower", [sys.executable, "-m", "celery", *_flower(self.ports.flower)])
        self.start_api()
        wait_until(self.has_worker, worker, within_seconds=_MODEL_START_SECONDS)

    def start_api(
        self, *, port: int | None = None, variables: Mapping[str, str] | None = None
    ) -> Process:
        """Start the API, or one more on another port, and wait until it answers."""
        port = port or self.ports.api
        self._claim_ports(port)
        name = "api" if port == self.ports.api else f"api-{port}"
        command = [sys.executable, "-m", "gunicorn", "--config", "api/gunicorn_conf.py"]
        command += ["--bind", f"{LOOPBACK}:{port}", "api.wsgi:app"]
        return self.start(
            name,
            command,
            ready=lambda: is_listening(port),
            seconds=60,
            variables=variables,
        )

    def forget_dead(self) -> None:
        """Keep no account of processes that are gone."""
        self.processes = [process for process in self.processes if process.is_alive()]
        self._write_processes()

    def stop(self) -> None:
        """Stop all that was started, in the reverse order: the servers last."""
        # SeaweedFS takes 15 s to leave; where the data goes with it there is nothing to wait for.
        seconds = 30.0 if self.outlives_us else 3.0
        for process in reversed(self.processes):
            process.stop(within_seconds=seconds)
        self.processes.clear()
        self.seaweedfs.sweep()
        self._write_processes()

    def start(
        self,
        name: str,
        command: list[str],
        *,
        ready: Callable[[], bool] | None = None,
        seconds: float = 0,
        variables: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program of the service; returns once `ready` holds."""
        process = start(
            name,
            command,
            environment={**self.environment, **(variables or {})},
            logs=self.directory / "logs",
            directory=ROOT,
            outlives_us=self.outlives_us,
        )
        self.processes.append(process)
        self._write_processes()
        if ready is not None:
            wait_until(ready, process, within_seconds=seconds)
        return process

    def _claim_ports(self, *ports: int) -> None:
        for port in ports:
            if is_listening(port):
                msg = f"port {port} is in use: stop what listens there (`make down`?) and try again"
                raise PortTaken(msg)

    def _valkey_answers(self) -> bool:
        client = redis_client.connect(self.valkey.url)
        try:
            JobStore(client).ping()
        except StoreUnavailable:
            return False
        finally:
            client.close()
        return True

    def _bucket_is_there(self) -> bool:
        files = JobFiles(s3.connect(self.store_settings), BUCKET)
        try:
            files.ensure_bucket()
        except StorageUnavailable:
            return False
        return True

    def has_worker(self) -> bool:
        """Whether a worker has its models in memory and takes jobs."""
        client = redis_client.connect(self.valkey.url)
        try:
            return any(worker.slots for worker in WorkerRegistry(client).alive())
        finally:
            client.close()

    def _kept_secrets(self) -> dict[str, str]:
        """Return this stack's passwords: made once, readable by this user alone."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        kept = self.directory / "secrets.json"
        if not kept.exists():
            names = ("valkey", "access", "secret", "flower")
            kept.touch(mode=0o600)
            kept.write_text(json.dumps({name: secrets.token_urlsafe(24) for name in names}))
        found: dict[str, str] = json.loads(kept.read_text())
        return found

    def _write_processes(self) -> None:
        written = [{**asdict(process), "log": str(process.log)} for process in self.processes]
        (self.directory / "processes.json").write_text(json.dumps(written, indent=2))


def kept_processes(directory: Path) -> tuple[list[Process], list[Process]]:
    """Return what an earlier `Stack` in this directory started: the living, and the dead."""
    kept = directory / "processes.json"
    written = json.loads(kept.read_text()) if kept.exists() else []
    alive: list[Process] = []
    dead: list[Process] = []
    for entry in written:
        process = Process(**{**entry, "log": Path(entry["log"])})
        (alive if process.is_alive() else dead).append(process)
    return alive, dead


def _flower(port: int) -> list[str]:
    return [
        "--app=jobs.flower:celery",
        "flower",
        f"--address={LOOPBACK}",
        f"--port={port}",
        "--max_tasks=5000",
    ]
