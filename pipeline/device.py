"""Decide where the models run, in which number format, and how many windows at a time."""

import logging
from dataclasses import dataclass
from typing import Literal

from pipeline.settings import PipelineSettings

log = logging.getLogger(__name__)

DeviceName = Literal["cpu", "cuda"]

# float16 is what Whisper was published in; int8 is the fastest that CTranslate2 has on a CPU.
_PREFERRED = {"cuda": "float16", "cpu": "int8"}
# Cards before Volta compute no float16; the first format that the device has is taken, and said.
_NEXT_BEST = {"cuda": ("int8_float16", "int8_float32", "float32"), "cpu": ("float32",)}
_BATCH_SIZE = {"cuda": 16, "cpu": 2}  # windows
_MODEL = {"cuda": "large-v3", "cpu": "base"}


class DeviceMissing(Exception):
    """The settings name a device or a number format that this machine does not have.

    Not for clients: an operator must change the settings, so the program that reads them stops.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where and how everything runs."""

    name: DeviceName
    compute_type: str  # of CTranslate2: float16, int8, int8_float16, float32 …
    batch_size: int  # windows in one pass of Whisper
    align_device: DeviceName  # of the wav2vec2 aligners
    default_model: str  # what a job gets that names no Whisper model


def choose_device(settings: PipelineSettings) -> Device:
    """Settle what the settings leave open, from what this machine has.

    Raises:
        DeviceMissing: the settings ask for a GPU or a number format that is not here.
    """
    import ctranslate2  # heavy: loads CUDA libraries

    gpus: int = ctranslate2.get_cuda_device_count()
    name = _named_device(settings.device, gpus)
    supported: set[str] = ctranslate2.get_supported_compute_types(name)
    return Device(
        name=name,
        compute_type=choose_compute_type(name, supported, wanted=settings.compute_type),
        batch_size=settings.batch_size or _BATCH_SIZE[name],
        align_device=_align_device(settings.align_device, name, gpus),
        default_model=settings.preload_model or _MODEL[name],
    )


def choose_compute_type(name: DeviceName, supported: set[str], *, wanted: str | None) -> str:
    """Choose CTranslate2's number format on a device that supports those given.

    Raises:
        DeviceMissing: the device has not what is wanted, or nothing that we use.
    """
    if wanted is not None:
        # "default" and "auto" are CTranslate2's own words for a choice of its own.
        if wanted in supported or wanted in ("default", "auto"):
            return wanted
        have = ", ".join(sorted(supported))
        msg = f"COMPUTE_TYPE={wanted} does not exist on {name}; it has: {have}"
        raise DeviceMissing(msg)
    preferred = _PREFERRED[name]
    if preferred in supported:
        return preferred
    for other in _NEXT_BEST[name]:
        if other in supported:
            log.warning(
                "this device has no %s: computing in %s",
                preferred,
                other,
                extra={"device": name, "compute_type": other},
            )
            return other
    msg = f"{name} supports none of the number formats used here, only {sorted(supported)}"
    raise DeviceMissing(msg)


def _named_device(wanted: Literal["auto", "cpu", "cuda"], gpus: int) -> DeviceName:
    if wanted == "auto":
        return "cuda" if gpus else "cpu"
    if wanted == "cuda" and not gpus:
        msg = "DEVICE=cuda, but no GPU answers: check the driver and CUDA_VISIBLE_DEVICES"
        raise DeviceMissing(msg)
    return wanted


def _align_device(wanted: DeviceName | None, name: DeviceName, gpus: int) -> DeviceName:
    if wanted == "cuda" and not gpus:
        msg = "ALIGN_DEVICE=cuda, but no GPU answers: check the driver and CUDA_VISIBLE_DEVICES"
        raise DeviceMissing(msg)
    return wanted or name
