from datetime import UTC, datetime

import pytest

from jobs.request_errors import UploadIncomplete, UploadUsed
from jobs.upload import Upload, UploadState
from jobs.upload_parts import runs


def an_upload(*, total_bytes: int, part_bytes: int) -> Upload:
    return Upload(
        id="upl_x",
        owner="ann",
        filename="call.wav",
        bytes=total_bytes,
        part_bytes=part_bytes,
        s3_upload_id="s3",
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
        expires_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize("total_bytes", [1, 9, 10, 11, 20, 21])
def test_the_parts_are_all_bytes_and_each_byte_once(total_bytes: int) -> None:
    upload = an_upload(total_bytes=total_bytes, part_bytes=10)

    pieces = [(upload.offset_of(n), upload.bytes_of(n)) for n in range(1, upload.parts + 1)]

    covered = [byte for offset, size in pieces for byte in range(offset, offset + size)]
    assert covered == list(range(total_bytes))
    assert all(size > 0 for _, size in pieces)


def test_only_a_complete_upload_can_be_taken_and_only_once() -> None:
    upload = an_upload(total_bytes=1, part_bytes=1)
    with pytest.raises(UploadIncomplete):
        upload.taken("job_a")

    taken = upload.completed().taken("job_a")

    assert [step.state for step in (upload, upload.completed(), taken)] == list(UploadState)
    with pytest.raises(UploadUsed, match="job_a"):
        taken.taken("job_b")
    with pytest.raises(UploadUsed, match="job_a"):
        taken.withdrawn()


def test_the_time_of_an_upload_that_a_job_has_taken_does_not_run_out() -> None:
    upload = an_upload(total_bytes=1, part_bytes=1)
    end = upload.expires_at.timestamp()

    assert not upload.is_over(end - 1)
    assert upload.is_over(end)
    assert upload.withdrawn().is_over(upload.created_at.timestamp())
    assert not upload.completed().taken("job_a").is_over(end)


def test_missing_parts_are_named_in_runs() -> None:
    assert runs([1]) == "1"
    assert runs([2, 4, 5, 6, 9]) == "2, 4-6, 9"
    assert runs(list(range(1, 10_001))) == "1-10000"
    assert runs(list(range(1, 1000, 2))).endswith("37, 39 and more")
