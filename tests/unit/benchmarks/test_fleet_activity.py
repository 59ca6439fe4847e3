import json
from pathlib import Path

import pytest

from benchmarks.fleet_activity import Activity, Stay, Window, busy_share
from benchmarks.fleet_worker import SPREAD, STAGE_SECONDS, spread, stage_at
from jobs.stages import Stage

WINDOW = Window(began=100.0, ended=110.0)


def line(job_id: str, at: float, *, is_end: bool, puts: int = 0) -> bytes:
    found = {"job_id": job_id, "at": at, "is_end": is_end, "s3": {"PutObject": puts}}
    return json.dumps(found).encode() + b"\n"


def stay(began: float, ended: float | None) -> Stay:
    return Stay(job_id="job_1", began=began, ended=ended)


@pytest.mark.parametrize(
    ("began", "ended", "share"),
    [
        (100.0, 110.0, 1.0),
        (102.0, 104.0, 0.2),
        (90.0, 101.0, 0.1),
        (109.0, 130.0, 0.1),
        (105.0, None, 0.5),
        (80.0, 90.0, 0.0),
        (110.0, None, 0.0),
    ],
)
def test_a_pipeline_is_busy_for_as_much_of_the_window_as_its_job_was_there(
    began: float, ended: float | None, share: float
) -> None:
    assert busy_share([stay(began, ended)], WINDOW, gpus=1) == pytest.approx(share)


def test_an_idle_gpu_lowers_the_share_of_all() -> None:
    assert busy_share([stay(100.0, 110.0)], WINDOW, gpus=4) == pytest.approx(0.25)


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    activity, lines = Activity(tmp_path), tmp_path / "1.jsonl"
    whole = line("job_2", 2.0, is_end=False)
    lines.write_bytes(line("job_1", 1.0, is_end=False) + whole[:20])
    assert activity.read() == 1

    lines.write_bytes(line("job_1", 1.0, is_end=False) + whole)

    assert activity.read() == 1
    assert activity.began("job_2") == 2.0


def test_a_job_that_was_handed_back_has_two_stays_and_began_with_the_first(tmp_path: Path) -> None:
    activity = Activity(tmp_path)
    (tmp_path / "1.jsonl").write_bytes(
        line("job_1", 1.0, is_end=False) + line("job_1", 2.0, is_end=True)
    )
    activity.read()
    (tmp_path / "2.jsonl").write_bytes(line("job_1", 5.0, is_end=False))

    assert activity.read() == 1
    assert activity.stays == [
        Stay(job_id="job_1", began=1.0, ended=2.0),
        Stay(job_id="job_1", began=5.0),
    ]
    assert activity.began("job_1") == 1.0


def test_requests_of_all_processes_add_up_whatever_order_their_threads_write_in(
    tmp_path: Path,
) -> None:
    activity = Activity(tmp_path)
    (tmp_path / "1.jsonl").write_bytes(
        line("job_1", 1.0, is_end=False, puts=7) + line("job_2", 1.0, is_end=False, puts=6)
    )
    (tmp_path / "2.jsonl").write_bytes(line("job_3", 1.0, is_end=False, puts=3))
    activity.read()

    assert activity.requests() == {"PutObject": 10}


def test_jobs_differ_in_length_and_each_keeps_its_own() -> None:
    found = [spread(f"job_{n}") for n in range(1000)]

    assert found == [spread(f"job_{n}") for n in range(1000)]
    assert all(1 - SPREAD <= each <= 1 + SPREAD for each in found)
    assert sum(found) / len(found) == pytest.approx(1.0, abs=0.05)


def test_each_stage_takes_its_measured_share_of_a_job() -> None:
    stages = [stage_at(n / 1000)[0] for n in range(1000)]
    whole = sum(STAGE_SECONDS.values())

    assert list(dict.fromkeys(stages)) == [Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE]
    for stage, seconds in STAGE_SECONDS.items():
        assert stages.count(stage) / 1000 == pytest.approx(seconds / whole, abs=0.002)


def test_a_stage_goes_from_its_beginning_to_its_end() -> None:
    assert stage_at(0.0) == (Stage.TRANSCRIBE, 0.0)
    assert stage_at(0.999)[0] is Stage.DIARIZE
    assert stage_at(0.999)[1] == pytest.approx(1.0, abs=0.01)
