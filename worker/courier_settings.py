"""Read what an operator decides about a courier."""

from pydantic import Field

from jobs.settings import StoreSettings


class CourierSettings(StoreSettings):
    """Decisions about one courier process."""

    courier_concurrency: int = Field(default=64, ge=1, le=1000)  # calls at once; a thread each
    courier_name: str | None = None  # in Flower; None: courier@<host>
    allow_private_addresses: bool = False  # True: webhooks may name machines of this network
