import logging

from jobs.logs import _Lines


def test_a_line_about_a_job_names_it_before_any_traceback() -> None:
    record = logging.LogRecord("worker", logging.ERROR, "", 0, "job failed\nTraceback", None, None)
    record.job_id = "job_1"

    assert _Lines("%(message)s").format(record) == "job failed job_id=job_1\nTraceback"
