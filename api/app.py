"""Build the Flask app from its services."""

from importlib.metadata import PackageNotFoundError, version

from flask_openapi3 import Info, OpenAPI

from api import access, problems, rate, request_ids
from api.asr import asr
from api.batches import batches
from api.deliveries import deliveries, job_deliveries
from api.detection import detection
from api.docs import docs
from api.events import events
from api.health import health
from api.jobs import jobs
from api.keys import keys
from api.media import media
from api.models import models
from api.openai_audio import openai_audio
from api.operations import operations
from api.services import Services
from api.transcripts import transcripts
from api.uploads import uploads
from api.webhook_document import webhooks as webhooks_sent
from api.webhooks import webhooks


def create_app(services: Services) -> OpenAPI:
    """Return the front door; it reaches nothing but `services`."""
    app = OpenAPI(
        "api",
        info=Info(title="Whisperline", version=_version()),
        validation_error_callback=problems.validation_problem,
        openapi_extensions={"webhooks": webhooks_sent()},
        doc_ui=False,  # its pages load their scripts from elsewhere; ours is in api/docs.py
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's DefaultJSONProvider
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # its redirects name whatever host the client did
    app.extensions["whisperline"] = services
    problems.register(app)
    # In this order: who asks, then how often.
    for part in (request_ids, access, rate):
        part.register(app)
    app.register_blueprint(docs)
    for blueprint in (
        jobs,
        batches,
        transcripts,
        media,
        events,
        uploads,
        webhooks,
        deliveries,
        job_deliveries,
        operations,
        keys,
        openai_audio,
        models,
        asr,
        detection,
        health,
    ):
        app.register_api(blueprint)
    return app


def _version() -> str:
    try:
        return version("whisperline")
    except PackageNotFoundError:  # run from a checkout
        return "0"
