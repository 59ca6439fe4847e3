"""Deliveries take turns, survive, and come once; endpoints that fail are left in peace."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from jobs import delivery_rows
from jobs.delivery import DeliveryStatus
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.settings import StoreSettings
from jobs.webhook import Webhook
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says, receiving
from worker.courier import CALLS_IN_TROUBLE, CALLS_PER_HOST


@pytest.fixture
def office(valkey: "redis.Redis", settings: StoreSettings) -> PostOffice:
    return PostOffice(valkey, settings)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def status_of(office: PostOffice, endpoint: Endpoint) -> EndpointStatus:
    return office.endpoints.get("ann", endpoint.id).status


def test_two_couriers_that_empty_the_outbox_at_once_tell_each_event_once(
    office: PostOffice, receiver: Receiver, valkey: "redis.Redis", settings: StoreSettings
) -> None:
    office.endpoint(receiver.url)
    events = [office.happens(job_id=f"job_{number}") for number in range(150)]
    offices = [office, PostOffice(valkey, settings)]
    threads = [threading.Thread(target=each.fan_out.run_once) for each in offices * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while office.fan_out.run_once():
        pass

    office.work()

    assert sorted(receiver.ids) == sorted(event.id for event in events)
    assert office.deliveries.counts()["delivered"] == 150
    assert office.deliveries.pending() == 0


def test_a_courier_that_dies_before_the_message_is_sent_loses_nothing(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    event = office.happens()
    office.fan_out.run_once()
    office.lanes.next("webhooks", receiver.url.split("/")[2], window=4)  # and dies
    assert office.work() == []

    office.clock.pass_(seconds=46)
    office.dispatch.send_lost("webhooks")
    office.work()

    assert receiver.ids == [event.id]


def test_a_courier_that_dies_in_a_call_makes_another_repeat_it_with_the_same_id(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    event = office.happens()
    office.courier.make_round()
    (delivery_id,) = office.messages()
    assert office.deliveries.claim(delivery_id) is not None  # and dies in the call

    assert office.deliverer.attempt(delivery_id) is None  # a second message in the meantime
    office.clock.pass_(seconds=46)
    office.dispatch.send_lost("webhooks")
    (delivery,) = office.work()

    assert delivery.status is DeliveryStatus.DELIVERED
    assert receiver.ids == [event.id]
    assert office.lanes.all("webhooks") == []


def test_a_message_that_comes_twice_is_one_call(office: PostOffice, receiver: Receiver) -> None:
    office.endpoint(receiver.url)
    office.happens()
    office.courier.make_round()
    (delivery_id,) = office.messages()

    office.deliverer.attempt(delivery_id)
    office.deliverer.attempt(delivery_id)

    assert len(receiver.calls) == 1


def test_a_host_has_only_so_many_calls_under_way_and_fewer_in_trouble(
    office: PostOffice, receiver: Receiver
) -> None:
    office.endpoint(receiver.url)
    for number in range(20):
        office.happens(job_id=f"job_{number}")
    office.courier.make_round()

    under_way = office.messages()
    assert len(under_way) == CALLS_PER_HOST
    office.courier.make_round()
    assert office.messages() == []

    receiver.says = lambda number: Says(status=500)
    for delivery_id in under_way:
        office.deliverer.attempt(delivery_id)
    assert len(office.messages()) == CALLS_IN_TROUBLE


def test_a_host_that_hangs_delays_no_other(
    office: PostOffice, receiver: Receiver, valkey: "redis.Redis"
) -> None:
    go_on = threading.Event()
    receiver.says = lambda number: Says(waits_for=go_on)
    office.endpoint(receiver.url)
    for number in range(50):
        office.happens(job_id=f"job_{number}")
    office.courier.make_round()
    hanging = [
        threading.Thread(target=office.deliverer.attempt, args=(delivery_id,))
        for delivery_id in office.messages()
    ]
    for thread in hanging:
        thread.start()
    receiver.wait_for(CALLS_PER_HOST)

    with receiving() as healthy:
        office.endpoint(healthy.url, owner="bob")
        for number in range(30):
            office.happens(owner="bob", job_id=f"job_{number}")
        office.work()

        assert len(healthy.calls) == 30
    assert len(receiver.calls) == CALLS_PER_HOST
    go_on.set()
    for thread in hanging:
        thread.join()


def fail_for_a_day(office: PostOffice, endpoint: Endpoint) -> None:
    office.endpoints.update("ann", endpoint.id, lambda one: one.failed(office.clock.moment))
    office.clock.pass_(hours=24)
    office.endpoints.update("ann", endpoint.id, lambda one: one.failed(office.clock.moment))


def test_an_endpoint_that_failed_for_a_day_is_paused(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=500)
    endpoint = office.endpoint(receiver.url)
    office.happens()
    office.work()
    office.clock.pass_(hours=23)
    office.work()
    assert status_of(office, endpoint) is EndpointStatus.ACTIVE

    office.clock.pass_(hours=1.01)
    office.happens()
    office.work()

    assert status_of(office, endpoint) is EndpointStatus.PAUSED


def test_one_success_ends_the_day_of_failures(office: PostOffice, receiver: Receiver) -> None:
    endpoint = office.endpoint(receiver.url)
    receiver.says = lambda number: Says(status=204 if number == 2 else 500)
    office.happens()
    office.work()
    office.clock.pass_(hours=23)
    office.work()
    office.clock.pass_(hours=2)
    office.happens()
    office.work()

    assert len(receiver.calls) == 3
    assert status_of(office, endpoint) is EndpointStatus.ACTIVE


def test_a_paused_endpoint_gets_one_trial_an_hour_and_all_the_rest_when_it_is_back(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=500)
    endpoint = office.endpoint(receiver.url)
    fail_for_a_day(office, endpoint)
    for number in range(20):
        office.happens(job_id=f"job_{number}")

    office.work()
    assert receiver.calls == []
    office.clock.pass_(seconds=3599)
    office.work()
    assert receiver.calls == []
    office.clock.pass_(seconds=1)
    office.work()
    assert len(receiver.calls) == 1
    office.clock.pass_(hours=0.5)
    office.work()
    assert len(receiver.calls) == 1

    receiver.says = lambda number: Says()
    office.clock.pass_(hours=0.5)
    office.work()

    assert len(set(receiver.ids)) == 20
    assert status_of(office, endpoint) is EndpointStatus.ACTIVE
    assert office.deliveries.pending() == 0


def test_a_paused_endpoint_that_is_back_gets_what_would_have_waited_for_hours(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=500)
    endpoint = office.endpoint(receiver.url)
    office.happens(job_id="old")
    (old,) = office.work()
    while old.tried < 6:  # the next one in ten hours
        office.pass_until(old.next_attempt_at)
        (old,) = office.work()
    fail_for_a_day(office, endpoint)
    assert status_of(office, endpoint) is EndpointStatus.PAUSED
    (old,) = office.work()  # is put off until the trial
    office.deliveries.finish(
        old.id, lambda one: one.postponed(office.clock.moment + timedelta(hours=10))
    )
    office.happens(job_id="new")
    receiver.says = lambda number: Says()
    office.clock.pass_(hours=1)
    office.work()

    assert status_of(office, endpoint) is EndpointStatus.ACTIVE
    assert office.deliveries.get(old.id).status is DeliveryStatus.DELIVERED


def test_what_a_moved_endpoint_left_behind_says_nothing_of_it(
    office: PostOffice, receiver: Receiver
) -> None:
    receiver.says = lambda number: Says(status=410)
    endpoint = office.endpoint(receiver.url)
    office.happens()
    office.fan_out.run_once()
    office.endpoints.update(
        "ann", endpoint.id, lambda one: one.model_copy(update={"url": f"{receiver.url}/new"})
    )
    office.work()

    assert status_of(office, endpoint) is EndpointStatus.ACTIVE


@pytest.mark.parametrize("how", ["disabled", "deleted"])
def test_what_waits_for_an_endpoint_that_is_no_more_is_dropped(
    office: PostOffice, receiver: Receiver, how: str
) -> None:
    endpoint = office.endpoint(receiver.url)
    office.happens()
    office.fan_out.run_once()
    if how == "disabled":
        office.endpoints.update("ann", endpoint.id, lambda one: one.disabled("enough"))
    else:
        office.endpoints.remove("ann", endpoint.id)

    (delivery,) = office.work()

    assert delivery.status is DeliveryStatus.DROPPED
    assert receiver.calls == []
    assert office.lanes.all("webhooks") == []


def test_an_endpoint_that_never_comes_back_does_not_pile_up_deliveries(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.deliveries.MOST_PENDING", 3)
    endpoint = office.endpoint(receiver.url)
    fail_for_a_day(office, endpoint)
    for number in range(5):
        office.happens(job_id=f"job_{number}")
        office.work()

    assert office.deliveries.pending() == 3
    assert office.deliveries.counts()["dropped"] == 2
    dropped = office.deliveries.page(
        endpoint.id, status=DeliveryStatus.DROPPED, limit=10, before=None
    )
    assert len(dropped.deliveries) == 2


def test_the_log_is_paged_newest_first(office: PostOffice, receiver: Receiver) -> None:
    endpoint = office.endpoint(receiver.url)
    for number in range(5):
        office.clock.pass_(seconds=1)
        office.happens(job_id=f"job_{number}")
    office.work()

    first = office.deliveries.page(endpoint.id, status=None, limit=3, before=None)
    rest = office.deliveries.page(endpoint.id, status=None, limit=3, before=first.next_cursor)

    shown = [each.job_id for each in (*first.deliveries, *rest.deliveries)]
    assert shown == [f"job_{number}" for number in (4, 3, 2, 1, 0)]
    assert rest.next_cursor is None


def test_what_is_over_is_forgotten_in_time_and_what_is_not_stays(
    office: PostOffice, receiver: Receiver
) -> None:
    endpoint = office.endpoint(receiver.url)
    receiver.says = lambda number: Says(status=204 if number == 1 else 500)
    office.happens()
    (delivered,) = office.work()
    office.happens()
    (pending,) = office.work()

    assert office.client.ttl(delivery_rows.row_key(pending.id)) == -1
    assert 0 < office.client.ttl(delivery_rows.row_key(delivered.id)) <= delivery_rows.KEPT_SECONDS
    office.clock.pass_(hours=24 * 15)
    office.happens()
    office.fan_out.run_once()
    log = office.deliveries.page(endpoint.id, status=None, limit=10, before=None)
    assert delivered.id not in [each.id for each in log.deliveries]
    assert (
        0
        < office.client.ttl(delivery_rows.log_key(endpoint.id))
        <= timedelta(days=15).total_seconds()
    )


def test_an_event_of_another_version_stops_nothing(office: PostOffice, receiver: Receiver) -> None:
    office.endpoint(receiver.url)
    office.client.rpush("whisperline:outbox", '{"version": 2}')
    event = office.happens(webhook=Webhook(url=receiver.url))

    office.work()

    assert set(receiver.ids) == {event.id}
    assert len(receiver.calls) == 2  # the endpoint, and the job's own
    assert not office.client.exists("whisperline:outbox")
