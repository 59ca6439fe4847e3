"""What became of deliveries is kept for a while, and counted for good."""

from datetime import timedelta

import httpx

from jobs import delivery_rows
from jobs.webhook import Webhook
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver, Says


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


def test_the_queue_says_how_webhooks_fare(
    office: PostOffice, receiver: Receiver, api: httpx.Client
) -> None:
    receiver.says = lambda number: Says(status=204 if number == 1 else 410 if number == 2 else 500)
    for number in range(3):
        office.happens(webhook=Webhook(url=receiver.url), job_id=f"job_{number}")
        office.work()

    told = api.get("/v1/queue").json()["webhooks"]

    assert told.pop("mean_seconds") >= 0
    assert told == {
        "pending": 1,
        "delivered": 1,
        "failed": 1,
        "dropped": 0,
        "attempts": 3,
        "failed_attempts": 2,
    }
