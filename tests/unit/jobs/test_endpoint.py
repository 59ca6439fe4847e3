import base64
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from jobs.endpoint import PAUSED_AFTER, Endpoint, EndpointStatus
from jobs.webhook import EventType, Webhook
from jobs.webhook_secret import KEPT_AFTER_ROTATION, SecretText, WebhookSecret

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET = TypeAdapter(SecretText)


def an_endpoint() -> Endpoint:
    return Endpoint(
        id="whk_x",
        owner="ann",
        url="https://old.example/hook",
        secret=WebhookSecret(),
        created_at=NOW,
    )


def paused() -> Endpoint:
    return an_endpoint().failed(NOW).failed(NOW + PAUSED_AFTER)


def test_an_endpoint_that_moved_has_not_failed_yet() -> None:
    moved = paused().moved("https://new.example/hook")

    assert moved.url == "https://new.example/hook"
    assert moved.status is EndpointStatus.ACTIVE
    assert (moved.failing_since, moved.next_trial_at, moved.reason) == (None, None, None)


def test_a_disabled_endpoint_stays_so_when_it_moves_until_it_is_enabled() -> None:
    moved = an_endpoint().disabled("it answered 410").moved("https://new.example/hook")

    assert (moved.status, moved.reason) == (EndpointStatus.DISABLED, "it answered 410")
    assert moved.enabled().status is EndpointStatus.ACTIVE
    assert moved.enabled().reason is None


def test_after_a_rotation_both_secrets_sign_for_a_day() -> None:
    endpoint = an_endpoint()
    rotated = endpoint.rotated(NOW)

    new, old = rotated.secret.signing(NOW + KEPT_AFTER_ROTATION - timedelta(seconds=1))
    assert old == endpoint.secret.current
    assert new == rotated.secret.current != old
    assert rotated.secret.signing(NOW + KEPT_AFTER_ROTATION) == (new,)


def test_no_secret_is_in_what_logs_print() -> None:
    endpoint = an_endpoint().rotated(NOW)

    for secret in endpoint.secret.signing(NOW):
        assert secret not in repr(endpoint)
        assert secret not in str(endpoint)


def whsec(length: int) -> str:
    return "whsec_" + base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_secret_of_the_clients_own_is_taken(length: int) -> None:
    assert SECRET.validate_python(whsec(length)) == whsec(length)


@pytest.mark.parametrize(
    "text",
    [
        whsec(23),
        whsec(65),
        whsec(32).removeprefix("whsec_"),
        "whsec_",
        "whsec_" + "ä" * 40,
        whsec(32) + "\n",
        whsec(33).replace("A", "-"),
        whsec(32).rstrip("="),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SECRET.validate_python(text)

    (fault,) = refused.value.errors(include_input=False, include_context=False)
    assert "24 to 64" in fault["msg"]


def test_an_event_that_is_named_twice_is_one() -> None:
    webhook = Webhook.model_validate(
        {"url": "https://a.example/", "events": ["job.failed", "job.started", "job.failed"]}
    )

    assert webhook.events == (EventType.JOB_FAILED, EventType.JOB_STARTED)
