"""Put a made-up catalog of models in the place of the real one."""

import hashlib
from collections.abc import Mapping

import pytest

from pipeline import cache_dir
from pipeline import pull as pulling
from pipeline.catalog import Catalog, read


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def use_catalog(monkeypatch: pytest.MonkeyPatch, raw: Mapping[str, object]) -> Catalog:
    """Make pulling and the cache know the models of `raw`, which is as catalog.toml is."""
    made = read(raw)  # type: ignore[arg-type] # the layout is what read() checks
    monkeypatch.setattr(pulling, "catalog", lambda: made)
    monkeypatch.setattr(cache_dir, "catalog", lambda: made)
    return made
