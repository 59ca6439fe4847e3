"""Deliveries take turns by host, survive a courier, and come once."""

import threading

import redis

from jobs.delivery import DeliveryStatus
from jobs.settings import StoreSettings
from jobs.webhook import Webhook
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says, receiving
from worker.courier import CALLS_IN_TROUBLE, CALLS_PER_HOST


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


def test_an_event_of_another_version_stops_nothing(office: PostOffice, receiver: Receiver) -> None:
    office.endpoint(receiver.url)
    office.client.rpush("whisperline:outbox", '{"version": 2}')
    event = office.happens(webhook=Webhook(url=receiver.url))

    office.work()

    assert set(receiver.ids) == {event.id}
    assert len(receiver.calls) == 2  # the endpoint, and the job's own
    assert not office.client.exists("whisperline:outbox")
