"""The ledger of webhooks in the real storage, empty, and one whose storage is away."""

from deploy.local.servers import free_ports
from jobs import s3_client as s3
from jobs.settings import StoreSettings
from jobs.webhook_files import WebhookFiles


def empty_ledger(settings: StoreSettings) -> WebhookFiles:
    """Delete what other tests left, and return the ledger."""
    client = s3.connect(settings)
    found = client.list_objects_v2(Bucket=settings.s3_bucket, Prefix="webhooks/")
    for item in found.get("Contents", []):
        client.delete_object(Bucket=settings.s3_bucket, Key=item["Key"])
    return WebhookFiles(client, settings.s3_bucket)


def ledger_away(settings: StoreSettings) -> WebhookFiles:
    """Return a ledger that nothing can be written to."""
    (port,) = free_ports(1)
    away = settings.model_copy(update={"s3_endpoint_url": f"http://127.0.0.1:{port}"})
    return WebhookFiles(s3.connect(away), settings.s3_bucket)
