"""Build the Flask app from its services."""

from importlib.metadata import PackageNotFoundError, version

from flask_openapi3 import Info, OpenAPI

from api import problems
from api.asr import asr
from api.health import health
from api.jobs import jobs
from api.services import Services


def create_app(services: Services) -> OpenAPI:
    """Return the front door; it reaches nothing but `services`."""
    app = OpenAPI(
        "api",
        info=Info(title="Whisperline", version=_version()),
        validation_error_callback=problems.validation_problem,
        doc_ui=False,  # its pages load their scripts from elsewhere
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]  # of Flask's DefaultJSONProvider
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.extensions["whisperline"] = services
    problems.register(app)
    for blueprint in (jobs, asr, health):
        app.register_api(blueprint)
    return app


def _version() -> str:
    try:
        return version("whisperline")
    except PackageNotFoundError:  # run from a checkout
        return "0"
