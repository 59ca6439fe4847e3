"""What of webhooks is shown, and what never is."""

from datetime import UTC, datetime, timedelta

from api.delivery_view import DeliveryDetail, DeliveryView
from api.job_view import JobView
from api.webhook_view import EndpointList, EndpointView, NewEndpointView, SecretView
from api.webhooks import EndpointChange
from jobs.delivery import Delivery, DeliveryAttempt, DeliveryStatus
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.options import JobOptions
from jobs.webhook import EventType, Webhook
from jobs.webhook_secret import KEPT_AFTER_ROTATION, WebhookSecret
from tests.jobs_made import a_job

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "https://app.example/hook?token=hunter2"
SHOWN = "https://app.example/hook"


def an_endpoint() -> Endpoint:
    return Endpoint(
        id="whk_x", owner="ann", url=URL, secret=WebhookSecret().rotated(NOW), created_at=NOW
    )


def a_delivery(*statuses: int | None) -> Delivery:
    delivery = Delivery(
        id="dlv_x",
        event_id="evt_x",
        type=EventType.JOB_SUCCEEDED,
        owner="ann",
        url=URL,
        host="app.example",
        body='{"type":"job.succeeded"}',
        created_at=NOW,
    )
    for status in statuses:
        attempt = DeliveryAttempt(at=NOW, seconds=0.1, status=status, answer="busy")
        delivery = delivery.attempted(attempt, DeliveryStatus.PENDING, NOW)
    return delivery


def test_an_endpoint_is_shown_without_its_secret_and_without_its_query() -> None:
    endpoint = an_endpoint()

    for shown in (EndpointView.of(endpoint), EndpointList(data=(EndpointView.of(endpoint),))):
        text = shown.model_dump_json()
        assert "whsec_" not in text
        assert "hunter2" not in text
        assert f'"{SHOWN}"' in text


def test_only_a_new_endpoint_shows_its_secret() -> None:
    endpoint = an_endpoint()

    assert NewEndpointView.of(endpoint).secret == endpoint.secret.current
    assert "hunter2" not in NewEndpointView.of(endpoint).model_dump_json()


def test_the_secret_before_is_never_shown_and_its_end_only_while_it_signs() -> None:
    secret = WebhookSecret().rotated(NOW)
    until = NOW + KEPT_AFTER_ROTATION

    assert SecretView.of(secret, until - timedelta(seconds=1)).previous_until == until
    assert SecretView.of(secret, until).previous_until is None
    assert secret.previous not in SecretView.of(secret, NOW).model_dump().values()


def test_a_delivery_is_shown_with_its_attempts_but_not_its_token() -> None:
    delivery = a_delivery(500, None)

    short, whole = DeliveryView.of(delivery), DeliveryDetail.of(delivery)
    assert (short.attempts, short.last_status, short.url) == (2, None, SHOWN)
    assert [attempt.status for attempt in whole.log] == [500, None]
    assert whole.log[0].answer == "busy"
    assert whole.body == delivery.body
    assert "hunter2" not in whole.model_dump_json()
    assert DeliveryView.of(a_delivery()).last_status is None


def test_a_job_shows_its_webhook_without_the_query_and_how_the_last_delivery_went() -> None:
    job = a_job(options=JobOptions(webhook=Webhook(url=URL)))

    listed = JobView.of(job)
    assert listed.webhook is not None
    assert listed.webhook.last_delivery is None
    read = JobView.of(job, last_delivery=a_delivery(503))
    assert read.webhook is not None
    assert read.webhook.last_delivery is not None
    assert read.webhook.last_delivery.model_dump() == {
        "id": "dlv_x",
        "status": DeliveryStatus.PENDING,
        "attempts": 1,
        "last_status": 503,
    }
    assert "hunter2" not in read.model_dump_json(warnings=False)
    assert read.options.webhook == Webhook(url=SHOWN)
    assert job.options.webhook == Webhook(url=URL)
    assert JobView.of(a_job()).webhook is None


def test_a_change_leaves_what_it_does_not_name() -> None:
    endpoint = an_endpoint()
    asked = EndpointChange.model_validate({"description": "", "events": ["job.failed"]})

    changed = asked.made_to(endpoint)

    assert changed.events == (EventType.JOB_FAILED,)
    assert changed == endpoint.model_copy(update={"events": (EventType.JOB_FAILED,)})
    assert EndpointChange().made_to(endpoint) == endpoint


def test_a_change_disables_and_enables() -> None:
    disabled = EndpointChange(status="disabled").made_to(an_endpoint())

    assert disabled.status is EndpointStatus.DISABLED
    assert disabled.reason is not None
    assert EndpointChange(status="active").made_to(disabled) == an_endpoint().model_copy(
        update={"secret": disabled.secret}
    )


def test_an_endpoint_that_moves_and_is_disabled_in_one_change_is_both() -> None:
    changed = EndpointChange(url="https://b.example/", status="disabled").made_to(an_endpoint())

    assert (changed.url, changed.status) == ("https://b.example/", EndpointStatus.DISABLED)
