"""Serve the OpenAPI document, and a page to read it that loads nothing from elsewhere."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, send_from_directory
from flask_openapi3 import OpenAPI

from api.api_document import completed

docs = Blueprint("docs", __name__)

_STATIC = files("flask_openapi3_swagger") / "templates" / "swagger"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Whisperline API</title>
<link rel="stylesheet" href="docs/css/swagger-ui.css">
<link rel="icon" href="docs/images/swagger.svg">
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the document is <a href="openapi.json">here</a>.</noscript>
<script src="docs/js/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """window.onload = () => SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
});
"""


@docs.get("/openapi.json")
def document() -> Response:
    """Answer the document, made of the views with the first request."""
    app = current_app
    if "openapi_document" not in app.extensions and isinstance(app, OpenAPI):
        app.extensions["openapi_document"] = completed(app.api_doc)
    found: dict[str, Any] = app.extensions["openapi_document"]
    return jsonify(found)


@docs.get("/docs")
def page() -> Response:
    """Answer the page."""
    answer = Response(_PAGE, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@docs.get("/docs/start.js")
def start() -> Response:
    """Answer what starts the page; inline it would need a weaker policy."""
    return Response(_START, mimetype="text/javascript")


@docs.get("/docs/<path:name>")
def static(name: str) -> Response:
    """Answer a file of Swagger UI, from its Python package."""
    with as_file(_STATIC) as folder:
        return send_from_directory(Path(folder), name, max_age=86_400)
