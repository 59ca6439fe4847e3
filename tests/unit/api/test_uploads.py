import pytest

from api.uploads import MOST_PARTS, PART_BYTES, SINGLE_BYTES, part_bytes_of

LARGEST_PART_BYTES = 5 * 1024**3  # that S3 takes


@pytest.mark.parametrize(
    "total_bytes", [1, SINGLE_BYTES, SINGLE_BYTES + 1, 160 * 1024**3, 5 * 1024**4]
)
def test_storage_takes_the_parts_of_an_upload_of_any_size(total_bytes: int) -> None:
    part_bytes = part_bytes_of(total_bytes)
    parts = -(-total_bytes // part_bytes)

    assert parts <= MOST_PARTS
    assert parts == 1 or PART_BYTES <= part_bytes <= LARGEST_PART_BYTES
    assert (parts == 1) == (total_bytes <= SINGLE_BYTES)
