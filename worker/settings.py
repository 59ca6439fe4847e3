"""Read what an operator decides about a worker process."""

import socket
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from jobs.settings import StoreSettings
from worker.stage_places import ONE_EACH, Replicas, parse_replicas


class WorkerSettings(StoreSettings):
    """Decisions about one worker process; the pipeline's own are in `pipeline/settings.py`."""

    # Where jobs run: auto, cpu, or indices or UUIDs of GPUs, with commas; a process for each.
    gpus: str = Field(default="auto", pattern=r"^(auto|cpu|[\w/-]+([,\s]+[\w/-]+)*)$")
    workers_per_gpu: int = Field(default=1, ge=1, le=16)  # processes, each with its own models
    # replicate: each process does whole jobs; split: each does one stage of them.
    pipeline_strategy: Literal["replicate", "split"] = "replicate"
    # With split: processes of each stage, whisper=2,align=1; 1 of what is not named, 0: none here.
    stage_replicas: Annotated[Replicas, NoDecode, BeforeValidator(parse_replicas)] = ONE_EACH
    device: Literal["auto", "cpu", "cuda"] = "auto"  # cpu: no process has a GPU
    worker_memory_mb: int = Field(default=0, ge=0)  # MiB; a process that holds more is ended; 0: no
    # At once, on one copy of the models. None: 1 on the CPU; 2 on a GPU, so that the next job's
    # media is fetched and decoded, and the last one's transcript stored, while one computes.
    jobs_per_worker: int | None = Field(default=None, ge=1, le=64)
    worker_name: str | None = None  # in Flower and in records; None: <device>@<host>
    work_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()))  # media in work

    max_file_size_mb: int = Field(default=4096, ge=1)  # MiB of media fetched from elsewhere
    fetch_timeout_seconds: float = Field(default=3600, ge=1)  # for one file of `source`
    allow_private_addresses: bool = False  # True: source.url may name machines of this network

    # Seconds that jobs have to end after SIGTERM; then they are handed back, at no cost to them.
    drain_seconds: float = Field(default=20, ge=0, le=24 * 3600)
    # Seconds without any progress after which a job's process is ended; it is tried once more.
    stall_seconds: float = Field(default=900, ge=10, le=24 * 3600)
    # Deaths in a row of one GPU's process, after which it is not started again; 0: it always is.
    give_up_after: int = Field(default=8, ge=0, le=1000)

    def jobs_at_once(self, device: Literal["cpu", "cuda"]) -> int:
        """Return how many jobs a process takes at once."""
        return self.jobs_per_worker or (2 if device == "cuda" else 1)

    def name(self, device: str) -> str:
        """Return what this process is called; Celery wants it unique."""
        return self.worker_name or f"{device}@{socket.gethostname()}"
