"""Each stage on a process of its own writes what one process for all of them writes."""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deploy.local.processes import Process
from deploy.local.stack import Ports, Stack
from jobs import redis_client
from jobs import s3_client as s3
from jobs.options import TranscriptionOptions
from jobs.workers import WorkerRegistry, WorkerStatus
from pipeline.catalog import catalog
from pipeline.pipeline import Pipeline
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from tests.end_to_end.conftest import FINAL

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what transformers imports
    from tests.integration.aligners_made import hugging_face_weights

LANGUAGE = "nl"  # the call is English, but its aligner here knows no language anyway
OPTIONS = {"model": "base", "language": LANGUAGE, "diarize": "true"}
Answer = dict[str, Any]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that others have, and an aligner with random weights."""
    folder = tmp_path_factory.mktemp("split")
    models = folder / "cache" / "models"
    models.mkdir(parents=True)
    for name in ("base", "segmentation-3.0", "campplus"):
        (models / name).symlink_to(locate(name, PipelineSettings()))
    aligner = catalog().aligner(LANGUAGE)
    assert aligner is not None
    hugging_face_weights(folder, "base").rename(models / aligner.name)
    (models / aligner.name / "preprocessor_config.json").write_text("{}")  # every listed one has it
    return folder / "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A service whose stages have processes of their own."""

    stack: Stack
    launcher: Process
    http: httpx.Client

    def workers(self) -> dict[str, WorkerStatus]:
        client = redis_client.connect(self.stack.valkey.url)
        try:
            alive = WorkerRegistry(client).alive()
        finally:
            client.close()
        return {str(worker.stage): worker for worker in alive}

    def process(self, stage: str) -> psutil.Process:
        """The process of a stage, by the name that its launcher gave it."""
        children = psutil.Process(self.launcher.pid).children()
        (found,) = (
            child for child in children if f"-{stage}" in child.environ().get("WORKER_NAME", "")
        )
        return found

    def submit(self, call: Path, **options: str) -> str:
        answer = self.http.post(
            "/v1/jobs", data=OPTIONS | options, files={"file": ("call.wav", call.read_bytes())}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def until(
        self, job_id: str, is_so: Callable[[Answer], bool], *, within_seconds: float = 240
    ) -> Answer:
        deadline = time.monotonic() + within_seconds
        while not is_so(job := self.http.get(f"/v1/jobs/{job_id}").json()):
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        return dict(job)

    def ended(self, job_id: str) -> Answer:
        return self.until(job_id, lambda job: job["status"] in FINAL)

    def taken(self, job_id: str, stage: str) -> bool:
        """Whether some process does a stage of a job."""
        client = redis_client.connect(self.stack.valkey.url)
        try:
            return bool(client.keys(f"whisperline:stage:{job_id}.*.{stage}:taken"))
        finally:
            client.close()

    def stage_files(self) -> list[str]:
        settings = self.stack.store_settings
        found = s3.connect(settings).list_objects_v2(Bucket=settings.s3_bucket, Prefix="jobs/")
        return [item["Key"] for item in found.get("Contents", []) if "/stages/" in item["Key"]]


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Split]:
    stack = Stack(
        directory=tmp_path_factory.mktemp("split-service"), ports=Ports.free(), outlives_us=False
    )
    try:
        stack.start_servers()
        variables = {
            "PIPELINE_STRATEGY": "split",
            "CACHE_DIR": str(cache),
            "HF_HUB_OFFLINE": "1",
            "PRELOAD_MODEL": "base",
        }
        launcher = stack.start("worker", [sys.executable, "-m", "worker"], variables=variables)
        stack.start("housekeeper", [sys.executable, "-m", "worker", "housekeeper"])
        stack.start_api()
        with httpx.Client(base_url=stack.url, timeout=120) as http:
            running = Split(stack=stack, launcher=launcher, http=http)
            deadline = time.monotonic() + 120
            while len(running.workers()) < 3:
                assert time.monotonic() < deadline, launcher.last_words()
                time.sleep(0.1)
            yield running
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def expected(cache: Path, call: Path) -> Callable[..., Answer]:
    """A function that returns what one process writes."""
    pipeline = Pipeline(PipelineSettings(device="cpu", cache_dir=cache, hf_hub_offline=True))

    def run(**options: str) -> Answer:
        wanted = TranscriptionOptions.model_validate(OPTIONS | options)
        found: Answer = json.loads(pipeline.run(call, wanted).model_dump_json())
        return found

    return run


def test_split_stages_write_the_same_to_the_last_digit(
    split: Split, call: Path, expected: Callable[..., Answer]
) -> None:
    job = split.ended(split.submit(call, return_speaker_embeddings="true"))

    transcript = split.http.get(f"/v1/jobs/{job['id']}/transcript").json()
    whole = expected(return_speaker_embeddings="true")
    assert job["status"] == "succeeded", job
    assert transcript["models"]["aligner"] != "whisper cross-attention"
    assert len(transcript["speakers"]) == 2
    assert transcript == whole
    assert split.stage_files() == []


def test_each_process_is_listed_with_its_stage(split: Split) -> None:
    answer = split.http.get("/v1/workers").json()

    assert sorted(worker["stage"] for worker in answer["data"]) == ["align", "diarize", "whisper"]
    assert answer["unserved_stages"] == []
    assert all(worker["name"].startswith(f"cpu-{worker['stage']}@") for worker in answer["data"])
    (whisper,) = (worker for worker in answer["data"] if worker["stage"] == "whisper")
    assert whisper["loaded_models"] == ["base", "silero"]
    assert split.http.get("/v1/queue").json()["slots"] == 1


def test_speakers_are_told_apart_though_the_process_that_does_it_is_killed(
    split: Split, call: Path
) -> None:
    job_id = split.submit(call)
    split.until(job_id, lambda _: split.taken(job_id, "diarize"))
    victim = split.process("diarize")
    victim.kill()

    job = split.ended(job_id)

    assert (job["status"], job["attempt"], job["setbacks"]) == ("succeeded", 1, [])
    assert job["warnings"] == []
    transcript = split.http.get(f"/v1/jobs/{job_id}/transcript").json()
    assert len(transcript["speakers"]) == 2
    assert split.process("diarize").pid != victim.pid


def test_a_cancel_frees_all_processes(split: Split, call: Path) -> None:
    job_id = split.submit(call)
    split.until(job_id, lambda _: split.taken(job_id, "diarize"))
    canceled_at = time.monotonic()
    assert split.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202

    split.until(job_id, lambda _: not split.taken(job_id, "diarize"))
    assert time.monotonic() - canceled_at < 3 + 2  # and what two busy cores may add
    split.until(job_id, lambda _: not any(w.jobs for w in split.workers().values()))
    assert split.stage_files() == []
    assert split.ended(split.submit(call))["status"] == "succeeded"
