"""Endpoints that fail are left in peace, and told what they missed when they are back."""

from datetime import timedelta

import pytest

from jobs.delivery import DeliveryStatus
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.event import Event
from jobs.ids import new_id
from jobs.webhook import EventType
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says


def status_of(office: PostOffice, endpoint: Endpoint) -> EndpointStatus:
    return office.endpoints.get("ann", endpoint.id).status


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
    endpoint = office.endpoint(receiver.url)

    def answered_after_it_moved(number: int) -> Says:
        office.endpoints.update("ann", endpoint.id, lambda one: one.moved(f"{receiver.url}/new"))
        return Says(status=410)

    receiver.says = answered_after_it_moved
    office.happens()
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


def test_the_end_of_a_batch_is_told_however_much_waits(
    office: PostOffice, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.deliveries.MOST_PENDING", 1)
    endpoint = office.endpoint(receiver.url)
    fail_for_a_day(office, endpoint)
    for number in range(3):
        office.happens(job_id=f"job_{number}")
        office.work()
    moment = office.clock.moment
    ended = Event(
        id=new_id("evt", moment), type=EventType.BATCH_COMPLETED, owner="ann", at=moment, data={}
    )

    office.deliveries.start(ended, url=receiver.url, endpoint_id=endpoint.id)
    waiting = office.deliveries.page(
        endpoint.id, status=DeliveryStatus.PENDING, limit=10, before=None
    )

    assert {each.type for each in waiting.deliveries} == {
        EventType.JOB_SUCCEEDED,
        EventType.BATCH_COMPLETED,
    }
