"""Let owners see how webhooks arrived, send one again, and try an address."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from flask import Response, request
from flask_openapi3 import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.access import own_job, owner
from api.answers import answer_json
from api.checked_addresses import check_webhook_url
from api.delivery_view import DeliveryDetail, DeliveryList, DeliveryView
from api.jobs import JobPath
from api.json_bodies import read_model
from api.request_bodies import json_body
from api.request_model import RequestModel
from api.services import services
from api.webhooks import ENDPOINT, TAG, EndpointPath, operation_id
from jobs.delivery import Delivery, DeliveryStatus
from jobs.endpoint import Endpoint, EndpointStatus
from jobs.event import Event
from jobs.ids import new_id
from jobs.request_errors import DeliveryNotFound, EndpointDisabled
from jobs.webhook import EventType, WebhookUrl

DELIVERY_ID = r"^dlv_[0-9a-f]{32}$"

deliveries = APIBlueprint(
    "deliveries",
    __name__,
    url_prefix="/v1/webhooks",
    abp_tags=[TAG],
    operation_id_callback=operation_id,
)
job_deliveries = APIBlueprint("job_deliveries", __name__, url_prefix="/v1/jobs", abp_tags=[TAG])


class DeliveryPath(RequestModel):
    """Which delivery."""

    delivery_id: Annotated[str, StringConstraints(pattern=DELIVERY_ID)]


class DeliveriesQuery(RequestModel):
    """Which deliveries, and which page of them."""

    status: DeliveryStatus | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(pattern=DELIVERY_ID)] | None = None


class AddressRequest(BaseModel):
    """An address to be tried."""

    model_config = ConfigDict(extra="forbid")

    url: WebhookUrl


_TEST_BODY = {"requestBody": {"required": True, "content": json_body(AddressRequest)}}


@deliveries.post(
    "/test",
    summary="Try an address",
    responses={202: DeliveryView},
    openapi_extensions=_TEST_BODY,
)
def test_address() -> Response:
    """Send `webhook.test` to an address, signed with your own secret as a job's webhook is."""
    asked = read_model(request, AddressRequest)
    check_webhook_url(asked.url, services().settings, pointer="/url")
    return _under_way(services().deliveries.start(_test_event(), url=asked.url, endpoint_id=None))


@deliveries.post(f"/{ENDPOINT}/test", summary="Try an endpoint", responses={202: DeliveryView})
def test_endpoint(path: EndpointPath) -> Response:
    """Send `webhook.test` to an endpoint, whichever events it wants."""
    endpoint = _called(path.endpoint_id)
    event = _test_event()
    return _under_way(services().deliveries.start(event, url=endpoint.url, endpoint_id=endpoint.id))


@deliveries.get(
    f"/{ENDPOINT}/deliveries",
    summary="List what an endpoint was sent, newest first",
    responses={200: DeliveryList},
)
def of_endpoint(path: EndpointPath, query: DeliveriesQuery) -> Response:
    """Answer one page; `next_cursor` asks for the one after it."""
    endpoint = services().endpoints.get(owner(), path.endpoint_id)
    return _page(endpoint.id, query)


@job_deliveries.get(
    "/<job_id>/deliveries",
    summary="List what a job's own webhook was sent, newest first",
    responses={200: DeliveryList},
)
def of_job(path: JobPath, query: DeliveriesQuery) -> Response:
    """Answer one page; `next_cursor` asks for the one after it."""
    return _page(own_job(path.job_id).id, query)


@deliveries.get(
    "/deliveries/<delivery_id>", summary="Look at a delivery", responses={200: DeliveryDetail}
)
def read(path: DeliveryPath) -> Response:
    """Answer what was sent, and each attempt with the first kilobyte of its answer."""
    return answer_json(DeliveryDetail.of(_own(path.delivery_id)))


@deliveries.post(
    "/deliveries/<delivery_id>/replay", summary="Send it again", responses={202: DeliveryView}
)
def replay(path: DeliveryPath) -> Response:
    """Send the same body once more, with the same `webhook-id`, by the whole schedule."""
    delivery = _own(path.delivery_id)
    if delivery.endpoint_id is not None:
        _called(delivery.endpoint_id)
    return _under_way(services().deliveries.replay(delivery.id))


def _own(delivery_id: str) -> Delivery:
    delivery = services().deliveries.get(delivery_id)
    if delivery.owner != owner():
        msg = f"there is no delivery {delivery_id}"
        raise DeliveryNotFound(msg)
    return delivery


def _called(endpoint_id: str) -> Endpoint:
    """Return an endpoint, unless what it is sent now would be dropped."""
    endpoint = services().endpoints.get(owner(), endpoint_id)
    if endpoint.status is EndpointStatus.DISABLED:
        msg = f"webhook {endpoint_id} is disabled: PATCH it to active first"
        raise EndpointDisabled(msg)
    return endpoint


def _page(of: str, query: DeliveriesQuery) -> Response:
    page = services().deliveries.page(
        of, status=query.status, limit=query.limit, before=query.cursor
    )
    return answer_json(
        DeliveryList(
            data=tuple(DeliveryView.of(delivery) for delivery in page.deliveries),
            next_cursor=page.next_cursor,
            has_more=page.next_cursor is not None,
        )
    )


def _test_event() -> Event:
    now = datetime.now(UTC)
    return Event(
        id=new_id("evt", now),
        type=EventType.TEST,
        owner=owner(),
        at=now,
        data={"message": "a test that its owner asked for; nothing has happened"},
    )


def _under_way(delivery: Delivery) -> Response:
    answer = answer_json(DeliveryView.of(delivery), status=HTTPStatus.ACCEPTED)
    answer.headers["Location"] = f"/v1/webhooks/deliveries/{delivery.id}"
    return answer
