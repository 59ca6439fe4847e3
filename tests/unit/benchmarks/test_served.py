import pytest

from benchmarks.served import account


def job(begin: int, end: int, **stages: float) -> dict[str, object]:
    """A job that ran for some seconds of one minute."""
    return {
        "started_at": f"2026-11-23T10:00:{begin:02d}Z",
        "finished_at": f"2026-11-23T10:00:{end:02d}Z",
        "stages": [{"name": name, "seconds": seconds} for name, seconds in stages.items()],
    }


MINUTE = 1795428000.0  # 2026-11-23T10:00:00Z


def test_what_the_time_goes_into_adds_up_to_the_whole_time() -> None:
    jobs = [
        job(14, 18, fetch=0.5, transcribe=3.0, store=0.25),
        job(2, 10, fetch=0.5, decode=1.0, transcribe=5.0, store=0.5),
    ]

    found = account(jobs, MINUTE + 1, MINUTE + 20)

    assert found == pytest.approx(
        {
            "upload and first claim": 1,
            "from a job's end to the next one's claim": 4,
            "media from storage": 1,
            "transcripts to storage": 0.75,
            "a job's own records": 1.25,
            "until the client knows": 2,
            "pipeline: transcribe": 8,
            "pipeline: decode": 1,
        }
    )
    assert sum(found.values()) == pytest.approx(19)
