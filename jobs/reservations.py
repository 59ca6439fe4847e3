"""Let a request that is sent twice make one job: names that stand for it, each taken once.

    whisperline:name:<owner>:<kind>:<sha256 of the name>    string   a Reservation as JSON

A name is an Idempotency-Key, kept a day, or the id a client gave by PUT, kept as long as the job.
While the request that took it is still being received, the entry lasts RECEIVING_SECONDS and is
renewed with the bytes that arrive: a process that dies while it receives blocks nobody for long.
"""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

import redis
from pydantic import BaseModel, ConfigDict

from jobs.job import Job
from jobs.redis_client import Pipe, redis_errors
from jobs.request_errors import SubmissionInProgress

RECEIVING_SECONDS = 60
IDEMPOTENCY_SECONDS = 24 * 3600
_TAKE_AGAIN = 5  # looks at a name that others take and leave meanwhile


class NameKind(StrEnum):
    """What sort of a name it is."""

    IDEMPOTENCY_KEY = "key"
    CLIENT_ID = "id"


class Reservation(BaseModel):
    """A name, and the request that took it."""

    model_config = ConfigDict(frozen=True)

    key: str  # in Redis
    kind: NameKind
    token: str  # of the request that took it
    job_id: str | None = None  # once there is a job
    fingerprint: str | None = None  # of the body that made it

    @property
    def is_settled(self) -> bool:
        """Whether the name stands for a job."""
        return self.job_id is not None


class Reservations:
    """Who took which name."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def take(self, owner: str, kind: NameKind, name: str) -> Reservation:
        """Return the name, taken for this request, or settled by an earlier one.

        Raises:
            SubmissionInProgress: another request with this name is still being received.
        """
        key = _key(owner, kind, name)
        mine = Reservation(key=key, kind=kind, token=secrets.token_hex(8))
        with redis_errors():
            for _ in range(_TAKE_AGAIN):
                if self._redis.set(key, mine.model_dump_json(), ex=RECEIVING_SECONDS, nx=True):
                    return mine
                found = self._redis.get(key)
                if found is None:
                    continue  # given back between the two
                theirs = Reservation.model_validate_json(found)
                if theirs.is_settled:
                    return theirs
                break
        msg = "a request with the same Idempotency-Key or id is still being received"
        raise SubmissionInProgress(msg)

    def job_named(self, owner: str, client_id: str) -> str | None:
        """Return the id of the job that an owner gave this id of its own."""
        with redis_errors():
            found = self._redis.get(_key(owner, NameKind.CLIENT_ID, client_id))
        return Reservation.model_validate_json(found).job_id if found is not None else None

    def remember(self, mine: Reservation, known: Reservation) -> None:
        """Let a name that was taken stand for what it stood for before Redis was emptied."""

        def write(pipe: Pipe) -> None:
            found = pipe.get(mine.key)
            pipe.multi()
            if isinstance(found, str) and is_held(found, mine):
                put(pipe, known)

        with redis_errors():
            self._redis.transaction(write, mine.key)

    def renew(self, reservation: Reservation) -> None:
        """Keep a name that was taken while its request arrives."""
        with redis_errors():
            self._redis.expire(reservation.key, RECEIVING_SECONDS)

    def give_back(self, reservation: Reservation) -> None:
        """Let others take the name, as no job came of it."""
        with redis_errors():
            found = self._redis.get(reservation.key)
            if found is not None and is_held(found, reservation):
                self._redis.delete(reservation.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldName:
    """The condition that a name is still this request's; with the job, it stands for it."""

    reservation: Reservation
    fingerprint: str

    @property
    def key(self) -> str:
        """Where the name is."""
        return self.reservation.key

    def check(self, pipe: Pipe) -> None:
        """Raise SubmissionInProgress where another request has taken it since."""
        found = pipe.get(self.key)
        if not isinstance(found, str) or not is_held(found, self.reservation):
            msg = "the upload took so long that another request took its place"
            raise SubmissionInProgress(msg)

    def settle(self, pipe: Pipe, job: Job, now: float) -> None:
        """Queue what makes the name stand for the job."""
        self.stand_for(pipe, job.id)

    def stand_for(self, pipe: Pipe, made_id: str) -> None:
        """Queue what makes the name stand for a job or a batch."""
        put(pipe, self.standing_for(made_id))

    def standing_for(self, made_id: str) -> Reservation:
        """Return the name as it stands for a job or a batch."""
        return self.reservation.model_copy(
            update={"job_id": made_id, "fingerprint": self.fingerprint}
        )


def put(pipe: Pipe, settled: Reservation, *, unless_taken: bool = False) -> None:
    """Queue what makes a name stand for what it says."""
    lasts = settled.kind is NameKind.CLIENT_ID
    seconds = None if lasts else IDEMPOTENCY_SECONDS
    pipe.set(settled.key, settled.model_dump_json(), ex=seconds, nx=unless_taken)


def named_by_client(job: Job) -> Reservation | None:
    """Return the name of a job as far as the job itself knows it; None: it has none."""
    if job.client_id is None:
        return None
    key = client_id_key(job.owner, job.client_id)
    return Reservation(key=key, kind=NameKind.CLIENT_ID, token="", job_id=job.id)


def is_held(found: str | bytes, reservation: Reservation) -> bool:
    """Whether what Redis holds is this very reservation."""
    return Reservation.model_validate_json(found).token == reservation.token


def client_id_key(owner: str, client_id: str) -> str:
    """Return where the id that an owner gave a job is."""
    return _key(owner, NameKind.CLIENT_ID, client_id)


def digest_of(name: str) -> str:
    """Return what is kept of a name: it is the client's text, and may be as secret as a key."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _key(owner: str, kind: NameKind, name: str) -> str:
    return f"whisperline:name:{owner}:{kind}:{digest_of(name)}"
