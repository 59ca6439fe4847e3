"""Which addresses are refused the moment they are given, wherever options come in."""

import json
from typing import Any

import pytest

from api.checked_addresses import check_webhook_url
from api.option_fields import native_options, options_from_form
from api.settings import ApiSettings
from jobs.options import JobOptions
from jobs.request_errors import InvalidOptions, MalformedRequest, WebhookBlocked
from jobs.webhook import USUAL_EVENTS, EventType
from tests.unit.api.drop_in_requests import sent

SETTINGS = ApiSettings(allow_private_addresses=False)
PRIVATE = ["http://127.0.0.1/hook", "https://10.0.0.1/", "http://[::1]:8080/", "http://0.0.0.0/"]
METADATA = "http://169.254.169.254/latest"
UNREADABLE = [
    "ftp://app.example/hook",
    "http://2130706433/hook",
    "https://app.example/a hook",
    "https:///hook",
    "https://metadata.google.internal/",
]


@pytest.mark.parametrize("url", [*PRIVATE, METADATA])
def test_private_addresses_are_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(WebhookBlocked, match=r"^url: .*ALLOW_PRIVATE_ADDRESSES"):
        check_webhook_url(url, SETTINGS, pointer="/url")


def test_private_addresses_are_called_where_the_operator_says_so_but_never_metadata() -> None:
    open_network = ApiSettings(allow_private_addresses=True)
    for url in PRIVATE:
        check_webhook_url(url, open_network, pointer="/url")

    with pytest.raises(WebhookBlocked):
        check_webhook_url(METADATA, open_network, pointer="/url")


@pytest.mark.parametrize("url", ["https://app.example/hook?t=1", "http://93.184.216.34:8080/"])
def test_names_and_public_addresses_are_taken(url: str) -> None:
    check_webhook_url(url, SETTINGS, pointer="/url")


@pytest.mark.parametrize("url", UNREADABLE)
def test_what_cannot_be_read_is_a_fault_of_its_field(url: str) -> None:
    with pytest.raises(InvalidOptions) as refused:
        check_webhook_url(url, SETTINGS, pointer="/webhook/url")

    ((pointer, code, _),) = refused.value.problems
    assert (pointer, code) == ("/webhook/url", "invalid_address")


@pytest.mark.parametrize("user", ["user:hunter2", "hunter2", ":hunter2", "a@b:hunter2"])
def test_a_password_in_the_address_is_refused_and_not_repeated(user: str) -> None:
    with pytest.raises(InvalidOptions, match="check the signature") as refused:
        check_webhook_url(f"https://{user}@app.example/hook", SETTINGS, pointer="/url")

    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in str(refused.value.problems)


def by_form(webhook: Any, found: ApiSettings) -> JobOptions:
    return options_from_form({"webhook": [json.dumps(webhook)]}, found)


def by_json_part(webhook: Any, found: ApiSettings) -> JobOptions:
    return options_from_form({"options": [json.dumps({"webhook": webhook})]}, found)


def by_json(webhook: Any, found: ApiSettings) -> JobOptions:
    return native_options({"webhook": webhook}, found)


WAYS = pytest.mark.parametrize("read", [by_form, by_json_part, by_json])


@WAYS
def test_a_jobs_webhook_is_read_in_each_way(read: Any) -> None:
    webhook = read({"url": "https://app.example/hook"}, SETTINGS).webhook

    assert webhook.url == "https://app.example/hook"
    assert webhook.events == USUAL_EVENTS
    assert EventType.JOB_PROGRESS not in webhook.events


@WAYS
def test_a_jobs_webhook_is_checked_in_each_way(read: Any) -> None:
    with pytest.raises(WebhookBlocked):
        read({"url": PRIVATE[0]}, SETTINGS)
    with pytest.raises(InvalidOptions):
        read({"url": "https://app.example/", "events": ["job.exploded"]}, SETTINGS)
    with pytest.raises(InvalidOptions):
        read({"url": "https://app.example/", "secret": "x"}, SETTINGS)


@pytest.mark.parametrize("text", ["https://app.example/hook", "[]", "{"])
def test_a_form_field_that_holds_no_json_object_is_malformed(text: str) -> None:
    with pytest.raises(MalformedRequest, match="'webhook'"):
        options_from_form({"webhook": [text]}, SETTINGS)


def test_an_empty_form_field_is_no_webhook() -> None:
    assert options_from_form({"webhook": [""]}, SETTINGS).webhook is None


def test_the_drop_in_routes_ignore_it_as_any_option_they_do_not_know() -> None:
    webhook = json.dumps({"url": PRIVATE[0]})

    _, received, _ = sent("webhook=x", [("webhook", webhook)])

    assert received.options.webhook is None
