"""Find the models that are already on this machine.

    CACHE_DIR/models/NAME/             a whole, verified model: config.json, model.bin …
    CACHE_DIR/models/NAME/pulled.json  where it came from; each file's bytes and sha256
    CACHE_DIR/models/.NAME.lock        held while NAME is pulled
    CACHE_DIR/models/.NAME.pull-*/     a pull at work; what a killed one left, the next one sweeps

NAME is the catalog's, never an alias. An operator may put a folder there by hand, also under a
name of ALLOWED_MODELS; it needs no pulled.json.

Read too, never written: what WhisperX, faster-whisper and pyannote have downloaded themselves,
so that a cache volume of an earlier service goes on being of use.

    CACHE_DIR/models--ORG--REPO/snapshots/*/                  also under hub/ and huggingface/hub/
    CACHE_DIR/wav2vec2_*.pth, CACHE_DIR/torch/hub/checkpoints/   torchaudio's aligners
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.catalog import REQUIRED, Hub, Kind, Model, catalog
from pipeline.settings import PipelineSettings

RECEIPT = "pulled.json"


class PulledFile(BaseModel):
    """What a verified file was like when it arrived."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Receipt(BaseModel):
    """What a pull fetched and from where; kept beside the model."""

    model_config = ConfigDict(frozen=True)

    name: str
    source: str
    licence: str
    files: dict[str, PulledFile]


def models_directory(settings: PipelineSettings) -> Path:
    """Where pulled models live."""
    return settings.cache_dir / "models"


def cached(name: str, settings: PipelineSettings) -> Path | None:
    """Find a whole model on this machine; ask nobody.

    Returns:
        The folder that holds its files; None: it is not here, or not whole. An aligner with a
        `bundle` is found by torchaudio when this folder is its `model_dir`.

    Raises:
        InvalidOptions: no such model, neither in the catalog nor in ALLOWED_MODELS.
    """
    own = models_directory(settings)
    if name in settings.allowed_models and name not in catalog().names:
        # Names of ALLOWED_MODELS stand for folders only, so nothing a client sends is a path.
        custom = own / Path(name).name
        return custom if _holds(custom, REQUIRED[Kind.WHISPER]) else None
    model = catalog().model(name)
    if is_whole(own / model.name, model):
        return own / model.name
    found = (place for place in _elsewhere(model, settings.cache_dir))
    return next((place for place in found if _holds(place, model.required)), None)


def is_whole(directory: Path, model: Model) -> bool:
    """Whether a folder holds all that the model needs, at the sizes it was verified with."""
    if not _holds(directory, model.required):
        return False
    try:
        receipt = Receipt.model_validate_json((directory / RECEIPT).read_bytes())
    except FileNotFoundError:
        return True  # put there by hand
    except ValidationError:
        return False
    return all(_bytes(directory / path) == file.bytes for path, file in receipt.files.items())


def _holds(directory: Path, required: tuple[str, ...]) -> bool:
    """Whether every pattern (`a|b`: one is enough) finds a file with something in it."""
    return directory.is_dir() and all(
        any(_bytes(path) for choice in pattern.split("|") for path in directory.glob(choice))
        for pattern in required
    )


def _bytes(path: Path) -> int:
    # Follows links: the hub's cache links a snapshot's files to its blobs, and a blob may be gone.
    return path.stat().st_size if path.is_file() else 0


def _elsewhere(model: Model, cache_dir: Path) -> Iterator[Path]:
    if model.hub:
        for root in (cache_dir, cache_dir / "hub", cache_dir / "huggingface" / "hub"):
            yield from _snapshots(root / f"models--{model.hub.repo.replace('/', '--')}", model.hub)
    if model.url:
        yield from (cache_dir, cache_dir / "torch" / "hub" / "checkpoints")


def _snapshots(repository: Path, hub: Hub) -> Iterator[Path]:
    """The snapshots of a repository in the hub's cache: the pinned, the current, the others."""
    snapshots = repository / "snapshots"
    yield snapshots / hub.revision
    current = repository / "refs" / "main"
    if current.is_file():
        yield snapshots / current.read_text("utf-8").strip()
    if snapshots.is_dir():
        yield from sorted(
            snapshots.iterdir(), key=lambda place: place.stat().st_mtime, reverse=True
        )
