"""What strangers, slow calls, late messages and faults of our own do to the courier: no harm."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from jobs.addresses import parse_target
from jobs.delivery import ATTEMPTS_KEPT, Delivery, DeliveryStatus
from jobs.delivery_rows import trouble_key
from jobs.endpoint import EndpointStatus
from jobs.outbox import OUTBOX
from jobs.queue import WEBHOOKS
from jobs.redis_client import texts
from jobs.webhook import Webhook
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says, receiving
from worker.courier import LOST_AFTER_SECONDS
from worker.delivering import TRIAL_SPREAD


def only(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


@contextmanager
def first_call_held(
    office: PostOffice, receiver: Receiver, *, status: int
) -> Iterator[Callable[[], str]]:
    """One event whose first call hangs; the yielded function lets it be answered, and waits."""
    release = threading.Event()
    receiver.says = lambda number: Says(status=status, waits_for=release) if number == 1 else Says()
    office.happens()
    office.courier.make_round()
    (delivery_id,) = office.messages()
    call = threading.Thread(target=office.deliverer.attempt, args=(delivery_id,))
    call.start()
    receiver.wait_for(1)

    def answer() -> str:
        release.set()
        call.join()
        return delivery_id

    try:
        yield answer
    finally:
        answer()


class Rounds(threading.Event):
    """Lets a courier make so many rounds, without waiting in between."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        return self._left < 0


# ---- what an address answers


def test_a_retry_after_that_no_calendar_holds_costs_one_attempt(
    office: PostOffice, receiver: Receiver
) -> None:
    beyond = {"Retry-After": "99999999999 Nov 70 10:00:00"}
    receiver.says = lambda _: Says(status=503, headers=beyond)
    office.endpoint(receiver.url)
    office.happens()

    delivery = only(office.work())

    assert (delivery.tried, delivery.status) == (1, DeliveryStatus.PENDING)


def test_an_error_that_nobody_thought_of_costs_one_attempt(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        msg = "https://example.org/?token=secret"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(office.deliverer._outgoing, "request", broken)
    office.endpoint(receiver.url)
    office.happens()

    delivery = only(office.work())

    assert (delivery.tried, delivery.status) == (1, DeliveryStatus.PENDING)
    assert delivery.attempts[0].error
    assert "secret" not in delivery.attempts[0].error
    assert office.lanes.due(WEBHOOKS) == []


# ---- messages and holds


def test_a_message_that_comes_twice_makes_no_attempt_before_its_time(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda _: Says(status=500)
    office.endpoint(receiver.url)
    office.happens()
    delivery = only(office.work())

    assert office.deliverer.attempt(delivery.id) is None
    assert len(receiver.calls) == 1
    office.pass_until(delivery.next_attempt_at)
    assert len(office.work()) == 1


def test_a_call_that_outlasts_its_hold_does_not_undo_what_another_courier_did(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    with first_call_held(office, receiver, status=500) as answer_first:
        office.clock.pass_(seconds=LOST_AFTER_SECONDS + 1)
        office.dispatch.send_lost(WEBHOOKS)
        (again,) = office.messages()
        office.deliverer.attempt(again)
        assert office.deliveries.get(again).status is DeliveryStatus.DELIVERED
        assert answer_first() == again

    delivery = office.deliveries.get(again)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert [attempt.status for attempt in delivery.attempts] == [204]
    assert (office.deliveries.pending(), office.lanes.all(WEBHOOKS)) == (0, [])
    assert receiver.ids == [delivery.event_id] * 2


def test_a_replay_during_a_call_is_a_call_of_its_own(
    office: PostOffice, receiver: Receiver
) -> None:
    endpoint = office.endpoint(receiver.url)
    in_trouble = trouble_key(parse_target(endpoint.url).authority)
    office.client.set(in_trouble, "1")  # one call at a time: the first must not keep its place
    with first_call_held(office, receiver, status=204) as answer_first:
        (row,) = texts(office.client.keys("whisperline:delivery:*"))
        office.deliveries.replay(row.rpartition(":")[2])
        delivery_id = answer_first()
    office.work()

    assert len(receiver.calls) == 2
    assert office.deliveries.get(delivery_id).status is DeliveryStatus.DELIVERED
    assert (office.deliveries.pending(), office.lanes.all(WEBHOOKS)) == (0, [])


def test_the_log_of_a_delivery_is_bounded_however_often_it_is_replayed(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    office.happens()
    delivery = only(office.work())
    for _ in range(ATTEMPTS_KEPT):
        office.deliveries.replay(delivery.id)
        office.work()

    assert len(receiver.calls) == ATTEMPTS_KEPT + 1
    assert len(office.deliveries.get(delivery.id).attempts) == ATTEMPTS_KEPT


# ---- endpoints that change


def test_what_waits_for_an_endpoint_follows_it_to_its_new_address(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda _: Says(status=500)
    endpoint = office.endpoint(receiver.url)
    event = office.happens()
    delivery = only(office.work())
    with receiving() as elsewhere:
        office.endpoints.update("ann", endpoint.id, lambda one: one.moved(elsewhere.url))
        office.pass_until(delivery.next_attempt_at)
        office.work()

        assert elsewhere.ids == [event.id]
    assert len(receiver.calls) == 1
    arrived = office.deliveries.get(delivery.id)
    assert (arrived.status, arrived.url) == (DeliveryStatus.DELIVERED, elsewhere.url)
    assert (office.deliveries.pending(), office.lanes.all(WEBHOOKS)) == (0, [])


def test_what_waits_for_a_trial_comes_back_bit_by_bit_but_at_once_when_one_arrives(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    chances = iter([0.0, 0.25, 0.5, 0.75, 0.0, 0.0, 0.0, 0.0])
    monkeypatch.setattr(office.deliverer, "_chance", lambda: next(chances))
    trial = office.clock.moment + timedelta(minutes=20)
    office.endpoint(receiver.url, status=EndpointStatus.PAUSED, next_trial_at=trial)
    for number in range(4):
        office.happens(job_id=f"job_{number}")

    postponed = [delivery.next_attempt_at for delivery in office.work()]
    assert receiver.calls == []
    assert postponed == [trial + part * TRIAL_SPREAD for part in (0.0, 0.25, 0.5, 0.75)]

    office.pass_until(trial)
    office.work()
    assert len(receiver.calls) == 4


# ---- rounds


def test_an_address_that_cannot_be_read_stops_nobody_else(
    office: PostOffice, receiver: Receiver
) -> None:
    office.happens(webhook=Webhook(url="http://[::1/secret"), job_id="job_bad")
    office.happens(webhook=Webhook(url=receiver.url))

    assert only(office.work()).job_id == "job_1"


def test_rounds_go_on_after_a_fault_of_our_own_which_is_said_once(
    office: PostOffice, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    office.client.hset("whisperline:webhooks:bob", "whk_x", "{not json")
    office.happens(owner="bob")
    due = office.deliveries.start(office.happens(), url=receiver.url, endpoint_id=None)

    office.courier.run(Rounds(3))
    assert office.messages() == [due.id]  # what was told before still goes
    assert caplog.text.count("Traceback") == 1

    office.client.delete("whisperline:webhooks:bob")
    office.courier.run(Rounds(1))
    assert not office.client.exists(OUTBOX)


def test_a_courier_told_to_stop_does_not_empty_a_backlog_first(office: PostOffice) -> None:
    backlog = 3_000
    row = json.dumps({"of": "another version"})
    office.client.rpush(OUTBOX, *[row] * backlog)

    office.courier.run(Rounds(1))

    assert 0 < office.client.llen(OUTBOX) < backlog


def test_what_another_courier_took_out_is_not_looked_for_in_the_rest(office: PostOffice) -> None:
    webhook = Webhook(url="http://127.0.0.1:9/")
    for number in range(6):
        office.happens(webhook=webhook, job_id=f"job_{number}")
    first, second, *rest = texts(office.client.lrange(OUTBOX, 0, -1))
    office.client.lpop(OUTBOX, 1)
    office.client.rpush(OUTBOX, first)  # were it looked for, it would be found here

    office.deliveries.add([], rows=[first, second])

    assert texts(office.client.lrange(OUTBOX, 0, -1)) == [*rest, first]
