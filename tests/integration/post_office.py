"""A courier in this process whose time is told by hand."""

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import redis

from jobs import queue as broker
from jobs import s3_client as s3
from jobs.deliveries import Deliveries
from jobs.delivery import Delivery
from jobs.dispatch import Dispatch
from jobs.endpoint import Endpoint
from jobs.endpoints import Endpoints
from jobs.event import Event
from jobs.gone_webhooks import GoneWebhooks
from jobs.ids import new_id
from jobs.lanes import Lanes
from jobs.outbox import Outbox, put
from jobs.outgoing import Outgoing
from jobs.queue import WEBHOOKS, JobQueue
from jobs.settings import StoreSettings
from jobs.webhook import EventType, Webhook
from jobs.webhook_files import WebhookFiles
from jobs.webhook_secret import WebhookSecret
from jobs.webhook_secrets import OwnerSecrets
from worker.courier import LOST_AFTER_SECONDS, Courier, window_of
from worker.delivering import Deliverer
from worker.fanning_out import FanOut


@dataclass(slots=True)
class Clock:
    """Says what it is told."""

    seconds: float = field(default_factory=lambda: float(int(time.time())))

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, *, seconds: float = 0, hours: float = 0) -> None:
        """Let time go by."""
        self.seconds += seconds + 3600 * hours

    @property
    def moment(self) -> datetime:
        """The time it is."""
        return datetime.fromtimestamp(self.seconds, UTC)


class PostOffice:
    """All of a courier but Celery's worker, whose part `work` does."""

    def __init__(
        self, client: "redis.Redis", settings: StoreSettings, *, call_seconds: float = 5.0
    ) -> None:
        self.clock = Clock()
        self.client = client
        self.lanes = Lanes(client, now=self.clock)
        self.queue = JobQueue(broker.connect(settings), client)
        files = WebhookFiles(s3.connect(settings), settings.s3_bucket)
        self.endpoints = Endpoints(client, files)
        self.secrets = OwnerSecrets(client, files)
        self.deliveries = Deliveries(client, self.lanes)
        gone = GoneWebhooks(client)
        outbox = Outbox(client)
        self.dispatch = Dispatch(
            self.lanes,
            self.queue,
            self.queue.send_delivery,
            window=partial(window_of, self.deliveries),
            lost_after_seconds=LOST_AFTER_SECONDS,
        )
        self.deliverer = Deliverer(
            deliveries=self.deliveries,
            endpoints=self.endpoints,
            secrets=self.secrets,
            gone=gone,
            dispatch=self.dispatch,
            outgoing=Outgoing(allow_private_addresses=True),
            call_seconds=call_seconds,
            chance=lambda: 0.0,
        )
        self.fan_out = FanOut(outbox, self.deliveries, self.endpoints, gone)
        self.courier = Courier(self.fan_out, self.dispatch, outbox)

    def endpoint(self, url: str, **facts: object) -> Endpoint:
        """Set an endpoint up."""
        values = {
            "id": new_id("whk", self.clock.moment),
            "owner": "ann",
            "url": url,
            "events": tuple(EventType),
            "secret": WebhookSecret(),
            "created_at": self.clock.moment,
            **facts,
        }
        endpoint = Endpoint.model_validate(values)
        self.endpoints.add(endpoint)
        return endpoint

    def happens(
        self, *, owner: str = "ann", webhook: Webhook | None = None, job_id: str = "job_1"
    ) -> Event:
        """Write down that a job succeeded."""
        event = Event(
            id=new_id("evt", self.clock.moment),
            type=EventType.JOB_SUCCEEDED,
            owner=owner,
            at=self.clock.moment,
            data={"id": job_id, "metadata": {"name": "Zoë"}},
            job_id=job_id,
            webhook=webhook,
        )
        pipe = self.client.pipeline()
        put(pipe, event)
        pipe.execute()
        return event

    def messages(self) -> list[str]:
        """Take what is in the queue, as a Celery worker would."""
        taken = []
        while isinstance(message := self.client.rpop(WEBHOOKS), str):
            taken.append(json.loads(message)["headers"]["id"])
        return taken

    def work(self) -> list[Delivery]:
        """Make rounds and attempts until there is nothing to do at this moment."""
        done: list[Delivery] = []
        self.courier.make_round()
        while messages := self.messages():
            done += [each for each in map(self.deliverer.attempt, messages) if each is not None]
            self.courier.make_round()
        return done

    def pass_until(self, moment: datetime | None) -> timedelta:
        """Let time go by until a delivery is due, and say how long that was."""
        assert moment is not None
        waited = moment - self.clock.moment
        self.clock.seconds = moment.timestamp()
        return waited
