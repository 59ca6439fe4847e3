"""Turn form fields, a JSON part or a query into options, or say what is wrong with them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from api.checked_addresses import check_webhook_url
from api.problems import faults_of, sentence
from api.settings import ApiSettings
from jobs.options import JobOptions
from jobs.request_errors import InvalidOptions, MalformedRequest, UnknownModel

Fields = Mapping[str, Sequence[str]]

_JSON_FIELDS = ("metadata", "webhook")


def options_from_form(fields: Fields, settings: ApiSettings) -> JobOptions:
    """Return the options in a native form: fields by name, or all of them as JSON in `options`.

    An empty field means unset, as it does in a browser's form. `tags` may be repeated or hold
    several names with commas between; `metadata` and `webhook` are JSON objects.

    Raises:
        MalformedRequest: a JSON field is no JSON.
        InvalidOptions: an option is unknown or out of its range.
        UnknownModel: the model is not on this deployment's list.
        WebhookBlocked: the webhook is at an address that must not be called.
    """
    values: dict[str, Any] = {}
    twice = [name for name, texts in fields.items() if len(texts) > 1 and name != "tags"]
    for name, texts in fields.items():
        if name == "options":
            values |= _json_object(name, texts[-1])
        elif name == "tags":
            values[name] = [tag.strip() for text in texts for tag in text.split(",") if tag.strip()]
        elif texts[-1] == "":
            continue
        elif name in _JSON_FIELDS:
            values[name] = _json_object(name, texts[-1])
        else:
            values[name] = texts[-1]
    for text in fields.get("options", ()):
        twice += [name for name in _json_object("options", text) if name in fields]
    if twice:
        msg = f"given twice: {', '.join(sorted(set(twice)))}"
        raise InvalidOptions(msg)
    return native_options(values, settings)


def native_options(values: Mapping[str, Any], settings: ApiSettings) -> JobOptions:
    """Return valid options of the native face, the address of the webhook included.

    Raises:
        InvalidOptions, UnknownModel, WebhookBlocked: what is wrong with which.
    """
    options = checked_options(values, models=settings.models)
    if options.webhook is not None:
        check_webhook_url(options.webhook.url, settings, pointer="/webhook/url")
    return options


def checked_options(values: Mapping[str, Any], *, models: Sequence[str]) -> JobOptions:
    """Return valid options.

    Raises:
        InvalidOptions, UnknownModel: what is wrong with which.
    """
    try:
        options = JobOptions.model_validate(values)
    except ValidationError as error:
        faults = faults_of(error)
        raise InvalidOptions(sentence(faults), problems=faults) from error
    if options.model is not None and options.model not in models:
        msg = f"unknown model {options.model!r}; known are: {', '.join(models)}"
        raise UnknownModel(msg)
    return options


def _json_object(name: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"the field {name!r} is no JSON"
        raise MalformedRequest(msg) from error
    if not isinstance(value, dict):
        msg = f"the field {name!r} must hold a JSON object"
        raise MalformedRequest(msg)
    return value
