"""What the courier does with an answer, and with none; time goes by as it is told."""

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
import redis

from jobs.delivery import Delivery, DeliveryStatus
from jobs.endpoint import EndpointStatus
from jobs.settings import StoreSettings
from jobs.webhook import EventType, Webhook
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says, receiving
from worker.retry_schedule import DELAYS


def always(status: int, **headers: str) -> Callable[[int], Says]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda number: Says(status=status, headers=named)


def only(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


def test_nobody_is_told_what_he_did_not_ask_for(office: PostOffice, receiver: Receiver) -> None:
    office.endpoint(receiver.url, events=(EventType.JOB_FAILED,))
    office.endpoint(receiver.url, owner="bob")
    office.happens(webhook=Webhook(url=receiver.url, events=(EventType.JOB_CANCELED,)))

    assert office.work() == []
    assert receiver.calls == []
    assert not office.client.exists("whisperline:outbox")


def test_a_receiver_that_is_down_gets_it_when_it_is_back(office: PostOffice) -> None:
    with socket.socket() as taken:  # a port where nobody listens
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
        office.endpoint(f"http://127.0.0.1:{port}/hook")
        event = office.happens()
        delivery = only(office.work())
    assert delivery.attempts[0].status is None
    assert "does not take connections" in str(delivery.attempts[0].error)

    waited = [office.pass_until(delivery.next_attempt_at)]
    for _ in range(3):
        delivery = only(office.work())
        waited.append(office.pass_until(delivery.next_attempt_at))
    with receiving(port) as receiver:
        delivery = only(office.work())

        assert receiver.ids == [event.id]
    assert delivery.status is DeliveryStatus.DELIVERED
    assert [round(each.total_seconds()) for each in waited] == [5, 300, 1800, 7200]


@pytest.mark.parametrize("status", [301, 302, 308, 400, 404, 429, 500, 503])
def test_whatever_is_not_2xx_is_tried_ten_times_and_then_given_up(
    office: PostOffice, receiver: Receiver, status: int
) -> None:
    receiver.says = always(status, Location=f"{receiver.url}/elsewhere")
    event = office.happens(webhook=Webhook(url=receiver.url))

    waited = []
    delivery = only(office.work())
    while delivery.status is DeliveryStatus.PENDING:
        waited.append(office.pass_until(delivery.next_attempt_at))
        delivery = only(office.work())

    assert delivery.status is DeliveryStatus.FAILED
    assert [round(each.total_seconds()) for each in waited] == [
        round(each.total_seconds()) for each in DELAYS
    ]
    assert receiver.ids == [event.id] * 10
    assert {call.path for call in receiver.calls} == {"/hook"}  # no redirect was followed
    assert [attempt.status for attempt in delivery.attempts] == [status] * 10
    assert office.lanes.all("webhooks") == []


def test_nothing_is_tried_before_its_time(office: PostOffice, receiver: Receiver) -> None:
    receiver.says = always(500)
    office.endpoint(receiver.url)
    office.happens()
    assert office.work()

    office.clock.pass_(seconds=4.9)
    assert office.work() == []
    office.clock.pass_(seconds=0.2)
    assert len(office.work()) == 1


def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(
        status=429 if number == 1 else 503,
        headers={
            "Retry-After": "90"
            if number == 1
            else format_datetime(office.clock.moment + timedelta(hours=1), usegmt=True)
        },
    )
    office.endpoint(receiver.url)
    office.happens()

    delivery = only(office.work())
    assert office.pass_until(delivery.next_attempt_at) == timedelta(seconds=90)
    delivery = only(office.work())
    waited = office.pass_until(delivery.next_attempt_at)
    assert timedelta(minutes=59) < waited <= timedelta(hours=1)


def test_410_disables_the_endpoint_and_drops_what_waits_for_it(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = always(410)
    endpoint = office.endpoint(receiver.url)
    for number in range(10):
        office.happens(job_id=f"job_{number}")

    done = office.work()

    assert len(receiver.calls) == 1
    statuses = [delivery.status for delivery in done]
    assert statuses == [DeliveryStatus.FAILED] + [DeliveryStatus.DROPPED] * 9
    after = office.endpoints.get("ann", endpoint.id)
    assert after.status is EndpointStatus.DISABLED
    assert "410" in str(after.reason)
    office.happens()
    assert office.work() == []


def test_410_of_a_jobs_own_webhook_ends_what_comes_later_of_this_job(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = always(410)
    webhook = Webhook(url=receiver.url)
    office.happens(webhook=webhook)
    office.work()
    office.happens(webhook=webhook)
    office.happens(webhook=webhook, job_id="job_2")

    done = office.work()

    assert [delivery.job_id for delivery in done] == ["job_2"]
    assert len(receiver.calls) == 2


def test_410_of_a_jobs_own_webhook_drops_what_still_waits_of_this_job(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=500 if number == 1 else 410)
    webhook = Webhook(url=receiver.url)
    office.happens(webhook=webhook)
    waiting = only(office.work())
    office.happens(webhook=webhook)
    office.work()
    office.pass_until(waiting.next_attempt_at)
    office.work()

    assert office.deliveries.get(waiting.id).status is DeliveryStatus.DROPPED
    assert len(receiver.calls) == 2


def test_a_receiver_that_never_answers_costs_one_attempt(
    valkey: "redis.Redis", settings: StoreSettings, receiver: Receiver
) -> None:
    office = PostOffice(valkey, settings, call_seconds=0.3)
    never = threading.Event()
    receiver.says = lambda number: Says(waits_for=never)
    office.endpoint(receiver.url)
    office.happens()

    delivery = only(office.work())
    never.set()

    assert delivery.status is DeliveryStatus.PENDING
    assert "did not answer in time" in str(delivery.attempts[0].error)


def test_the_log_keeps_the_first_kilobyte_of_an_answer_and_nothing_that_moves_a_cursor(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=500, body=b"\x1b[2Jno\xff" + b"x" * 5000)
    office.endpoint(receiver.url)
    office.happens()

    attempt = only(office.work()).attempts[0]

    assert attempt.answer is not None
    assert attempt.answer.startswith("�[2Jno�xxx")
    assert len(attempt.answer) <= 1024


def test_an_address_that_must_not_be_called_is_not(
    valkey: "redis.Redis", settings: StoreSettings, receiver: Receiver
) -> None:
    from jobs.outgoing import Outgoing

    office = PostOffice(valkey, settings)
    office.deliverer._outgoing = Outgoing(allow_private_addresses=False)
    office.endpoint(receiver.url)
    office.happens()

    delivery = only(office.work())

    assert receiver.calls == []
    assert delivery.status is DeliveryStatus.PENDING
    assert delivery.attempts[0].error


def test_a_replay_has_the_same_id_and_the_whole_schedule_again(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    event = office.happens()
    delivery = only(office.work())
    receiver.says = always(500)

    office.deliveries.replay(delivery.id)
    again = only(office.work())

    assert receiver.ids == [event.id, event.id]
    assert (again.status, again.tried) == (DeliveryStatus.PENDING, 1)
    assert [attempt.status for attempt in again.attempts] == [204, 500]
