"""Deliveries verify with the library of Standard Webhooks, and with nothing but the secret."""

from datetime import timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from jobs.delivery import Delivery, DeliveryStatus
from jobs.webhook import Webhook
from jobs.webhook_secret import WebhookSecret, new_secret
from tests.integration.post_office import PostOffice
from tests.integration.webhook_receiver import Receiver


def only(deliveries: list[Delivery]) -> Delivery:
    (delivery,) = deliveries
    return delivery


def test_what_arrives_verifies_with_the_endpoints_secret(
    office: PostOffice, receiver: Receiver
) -> None:
    endpoint = office.endpoint(receiver.url)
    event = office.happens()

    delivery = only(office.work())

    assert delivery.status is DeliveryStatus.DELIVERED
    (call,) = receiver.calls
    told = call.verified(endpoint.secret.current)
    assert told == {
        "type": "job.succeeded",
        "timestamp": event.at.isoformat(),
        "data": {"id": "job_1", "metadata": {"name": "Zoë"}},
    }
    assert call.headers["webhook-id"] == event.id
    assert call.headers["content-type"] == "application/json"
    assert office.deliveries.counts()["pending"] == 0


def test_an_altered_body_an_old_timestamp_and_a_wrong_secret_are_refused(
    office: PostOffice, receiver: Receiver
) -> None:
    endpoint = office.endpoint(receiver.url)
    office.happens()
    office.work()
    office.clock.pass_(seconds=-301)  # beyond the five minutes of the library
    office.happens()
    office.work()

    good, old = receiver.calls
    altered = type(good)(good.path, good.headers, good.body.replace(b"succeeded", b"failed"))
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        altered.verified(endpoint.secret.current)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        good.verified(new_secret())
    with pytest.raises(WebhookVerificationError, match="too old"):
        old.verified(endpoint.secret.current)


@pytest.mark.parametrize("ago", [timedelta(), timedelta(hours=23, minutes=59)])
def test_for_a_day_after_a_rotation_both_secrets_verify(
    office: PostOffice, receiver: Receiver, ago: timedelta
) -> None:
    old = WebhookSecret()
    new = old.rotated(office.clock.moment - ago)
    office.endpoint(receiver.url, secret=new)
    office.happens()
    office.work()

    (call,) = receiver.calls
    assert call.verified(old.current) == call.verified(new.current)


def test_a_day_after_a_rotation_the_old_secret_verifies_no_longer(
    office: PostOffice, receiver: Receiver
) -> None:
    old = WebhookSecret()
    new = old.rotated(office.clock.moment - timedelta(hours=24))
    office.endpoint(receiver.url, secret=new)
    office.happens()
    office.work()

    (call,) = receiver.calls
    assert call.verified(new.current)
    with pytest.raises(WebhookVerificationError):
        call.verified(old.current)


def test_a_jobs_own_webhook_is_signed_with_its_owners_secret(
    office: PostOffice, receiver: Receiver
) -> None:
    office.happens(webhook=Webhook(url=receiver.url))

    delivery = only(office.work())

    (call,) = receiver.calls
    assert call.verified(office.secrets.of("ann").current)["type"] == "job.succeeded"
    page = office.deliveries.page("job_1", status=None, limit=10, before=None)
    assert page.deliveries == (delivery,)


def test_an_owners_rotated_secret_signs_beside_the_new_one(
    office: PostOffice, receiver: Receiver
) -> None:
    old = office.secrets.of("ann")
    new = office.secrets.rotate("ann")
    office.happens(webhook=Webhook(url=receiver.url))
    office.work()

    (call,) = receiver.calls
    assert call.verified(old.current) == call.verified(new.current)
