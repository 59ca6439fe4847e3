"""Look through all of Redis and all of object storage for what should be nowhere."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LARGEST_BYTES = 1024**2  # media of other tests; what a job says of itself is small


class Traces:
    """What Redis and a bucket hold, of whatever type it is."""

    def __init__(self, valkey: "redis.Redis", s3: "S3Client", bucket: str) -> None:
        self._redis = valkey
        self._s3 = s3
        self._bucket = bucket

    def keys(self) -> dict[str, str]:
        """Return each key in Redis with all that it holds, as text."""
        return {str(key): self._content(str(key)) for key in self._redis.scan_iter("*", count=1000)}

    def objects(self) -> dict[str, str]:
        """Return each object with all that it holds, and the keys of uploads under way."""
        found = {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            for each in page.get("Contents", []):
                found[each["Key"]] = self._body(each["Key"], each["Size"])
        under_way = self._s3.list_multipart_uploads(Bucket=self._bucket).get("Uploads", [])
        return found | {each["Key"]: "" for each in under_way}

    def of(self, *needles: str) -> set[str]:
        """Return where any of these is said, in a name or in what it names."""
        said = self.keys() | {f"s3:{key}": text for key, text in self.objects().items()}
        return {
            key for key, text in said.items() if any(one in key or one in text for one in needles)
        }

    def everlasting(self) -> set[str]:
        """Return the keys in Redis that no time ends."""
        return {key for key in self.keys() if self._redis.ttl(key) == -1}

    def _content(self, key: str) -> str:
        read: dict[str, Callable[[], Any]] = {
            "string": lambda: self._redis.get(key),
            "list": lambda: self._redis.lrange(key, 0, -1),
            "set": lambda: self._redis.smembers(key),
            "zset": lambda: self._redis.zrange(key, 0, -1),
            "hash": lambda: self._redis.hgetall(key),
            "none": lambda: "",  # it ended meanwhile
        }
        return str(read[str(self._redis.type(key))]())

    def _body(self, key: str, size: int) -> str:
        if size > _LARGEST_BYTES:
            return ""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return ""
        return answer["Body"].read().decode(errors="replace")
