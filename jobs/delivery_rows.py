"""Queue what keeps the row of a delivery, its lane, its log and the counts in step.

    whisperline:delivery:<id>                   string   the Delivery as JSON; one that is over is
                                                         kept KEPT_SECONDS
    whisperline:deliveries:<of>                 zset     ids of what an endpoint, a job or a batch
                                                         was sent, every score 0
    whisperline:deliveries_pending:<endpoint>   set      ids that the endpoint still waits for
    whisperline:webhook_counts                  hash     pending, delivered, failed, dropped,
                                                         attempts, failed_attempts, milliseconds
    whisperline:webhook_trouble:<host>          string   the last call of the host failed

A delivery that is pending waits in the lane of its host (jobs/lanes.py) and keeps its place there
until the attempt is over, so that only so many calls of one host are under way.
"""

from datetime import timedelta

from jobs import lanes
from jobs.delivery import Delivery, DeliveryAttempt, DeliveryStatus
from jobs.ids import first_id_at
from jobs.queue import WEBHOOKS
from jobs.redis_client import Pipe
from jobs.request_errors import DeliveryNotFound

KEPT_SECONDS = 7 * 24 * 3600
TROUBLE_SECONDS = 15 * 60
COUNTS = "whisperline:webhook_counts"


def row_key(delivery_id: str) -> str:
    """Return where a delivery is."""
    return f"whisperline:delivery:{delivery_id}"


def log_key(of: str) -> str:
    """Return where the ids are of what an endpoint, a job or a batch was sent."""
    return f"whisperline:deliveries:{of}"


def pending_key(endpoint_id: str) -> str:
    """Return where the ids are that an endpoint still waits for."""
    return f"whisperline:deliveries_pending:{endpoint_id}"


def trouble_key(host: str) -> str:
    """Return where it stands that the last call of a host failed."""
    return f"whisperline:webhook_trouble:{host}"


def read(delivery_id: str, found: object) -> Delivery:
    """Return the delivery in a row.

    Raises:
        DeliveryNotFound: the row is not there.
    """
    if not isinstance(found, str):
        msg = f"there is no delivery {delivery_id}, or it is too long ago"
        raise DeliveryNotFound(msg)
    return Delivery.model_validate_json(found)


def hold(pipe: Pipe, delivery: Delivery) -> None:
    """Queue what notes that a courier has it; it keeps its place in the lane."""
    pipe.set(row_key(delivery.id), delivery.model_dump_json(exclude_defaults=True))


def write(pipe: Pipe, delivery: Delivery, *, was: Delivery | None) -> None:
    """Queue what makes everything say `delivery`, which said `was` before; None: it is new."""
    is_pending = delivery.status is DeliveryStatus.PENDING
    text = delivery.model_dump_json(exclude_defaults=True)
    pipe.set(row_key(delivery.id), text, ex=None if is_pending else KEPT_SECONDS)
    if is_pending:
        since = delivery.next_attempt_at or delivery.created_at
        lanes.put(pipe, WEBHOOKS, delivery.host, delivery.id, since=since.timestamp())
    else:
        lanes.withdraw(pipe, WEBHOOKS, delivery.host, delivery.id)
    if was is None:
        _list(pipe, delivery)
    if was is None or was.status is not delivery.status:
        _count(pipe, delivery, was)


def has_its_turn(pipe: Pipe, delivery: Delivery) -> bool:
    """Whether its message was sent, and it is not settled; asks at once, so before `multi`."""
    return lanes.is_sent(pipe, WEBHOOKS, delivery.host, delivery.id)


def settle(pipe: Pipe, delivery: Delivery) -> None:
    """Queue what frees its host's place for the next one."""
    lanes.settle(pipe, WEBHOOKS, delivery.host, delivery.id)


def count_attempt(pipe: Pipe, delivery: Delivery, attempt: DeliveryAttempt) -> None:
    """Queue what counts an attempt, and what tells whether its host is in trouble."""
    pipe.hincrby(COUNTS, "attempts", 1)
    pipe.hincrby(COUNTS, "milliseconds", round(attempt.seconds * 1000))
    if delivery.status is DeliveryStatus.DELIVERED:
        pipe.delete(trouble_key(delivery.host))
    else:
        pipe.hincrby(COUNTS, "failed_attempts", 1)
        pipe.set(trouble_key(delivery.host), "1", ex=TROUBLE_SECONDS)


def _list(pipe: Pipe, delivery: Delivery) -> None:
    """Queue what lists a new delivery, and forgets those whose rows are gone."""
    forgotten = first_id_at("dlv", delivery.created_at - timedelta(seconds=2 * KEPT_SECONDS))
    for of in delivery.listed_under:
        pipe.zadd(log_key(of), {delivery.id: 0})
        pipe.zremrangebylex(log_key(of), "-", f"({forgotten}")
        pipe.expire(log_key(of), 2 * KEPT_SECONDS)


def _count(pipe: Pipe, delivery: Delivery, was: Delivery | None) -> None:
    is_pending = delivery.status is DeliveryStatus.PENDING
    pipe.hincrby(COUNTS, str(delivery.status), 1)
    if was is not None and was.status is DeliveryStatus.PENDING:
        pipe.hincrby(COUNTS, str(DeliveryStatus.PENDING), -1)
    if delivery.endpoint_id is not None:
        pending = pending_key(delivery.endpoint_id)
        (pipe.sadd if is_pending else pipe.srem)(pending, delivery.id)
