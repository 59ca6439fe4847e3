"""Settle on which GPUs of this machine jobs run, without touching CUDA: that is for children."""

import logging
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from worker.nvml import Card, NvmlMissing, cards

log = logging.getLogger(__name__)

_NAME = re.compile(r"\d+|(GPU|MIG)-[\w/-]+")  # with slashes: of drivers before 470


class GpuUnknown(Exception):
    """The settings name a GPU that is not there, or one twice; says what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one process runs its jobs."""

    name: str  # gpu0, gpu0-mig1, cpu: the first part of the worker's name
    cuda_visible_devices: str | None = None  # None: leave it as it is

    @property
    def variables(self) -> dict[str, str]:
        """What the process has to find in its environment."""
        if self.cuda_visible_devices is None:
            return {}
        found = {
            "CUDA_VISIBLE_DEVICES": self.cuda_visible_devices,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # else the fastest card would be 0, unlike NVML's
        }
        # With `auto` a process whose GPU is lost would go on, on the CPU, under the GPU's name.
        return found | ({"DEVICE": "cuda"} if self.cuda_visible_devices else {})

    @property
    def uuid(self) -> str | None:
        """Return the card's; None: there is none, or NVML could not tell it."""
        devices = self.cuda_visible_devices or ""
        return devices if devices.startswith(("GPU-", "MIG-")) else None


def places(gpus: str, *, device: str | None = None) -> tuple[Place, ...]:
    """Return where processes are to run, one for each GPU; one without where there is none.

    Only what CUDA_VISIBLE_DEVICES leaves to this process counts, where it is set.

    Args:
        gpus: `auto`, `cpu`, or indices or UUIDs (`0,1`, `GPU-…,MIG-…`), which may be cut short as
            CUDA allows. A GPU in MIG mode stands for all its MIG devices.
        device: `cpu` overrules all of it.

    Raises:
        GpuUnknown: a GPU is named that is not there, or one twice.
    """
    if "cpu" in (gpus, device):
        return (Place(name="cpu", cuda_visible_devices=""),)  # also where there is a GPU
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    wanted = None if gpus == "auto" else _split(gpus)
    try:
        known = cards()
    except NvmlMissing as error:
        return _unchecked(wanted, visible, error)
    found = known if visible is None else _chosen(_visible(visible), known, "CUDA_VISIBLE_DEVICES")
    if wanted is not None:
        found = _chosen(wanted, found, "GPUS")
    if not found:
        log.warning("NVML sees no GPU that may be used: jobs run on the CPU")
        return (Place(name="cpu"),)
    for card in found:
        log.info("%s is %s, %s", card.place, card.model, card.uuid)
    # By UUID: an index is another card's once one fell off the bus and the driver counts anew.
    return tuple(Place(name=card.place, cuda_visible_devices=card.uuid) for card in found)


def _split(names: str) -> list[str]:
    return names.replace(",", " ").split()


def _visible(names: str) -> list[str]:
    """Return what CUDA sees: it reads no further than to what is no GPU, as the usual -1."""
    return list(takewhile(lambda name: _NAME.fullmatch(name) is not None, _split(names)))


def _chosen(names: Iterable[str], known: Sequence[Card], variable: str) -> tuple[Card, ...]:
    """Return the cards that are named, in that order."""
    found: list[Card] = []
    for name in names:
        named = _named(name, known)
        is_one = len(named) == 1 or len({card.gpu_uuid for card in named}) == 1
        if not is_one or (len(named) > 1 and name.startswith("MIG-")):
            how = "is not there" if not named else "is short for several"
            msg = f"{variable}: {name} {how}; there is {_listed(known)}"
            raise GpuUnknown(msg)
        if any(card in found for card in named):
            msg = f"{variable}: {name} is named twice; WORKERS_PER_GPU starts several on each GPU"
            raise GpuUnknown(msg)
        found += named
    return tuple(found)


def _named(name: str, known: Sequence[Card]) -> list[Card]:
    if name.isdecimal():
        return [card for card in known if card.index == int(name)]
    if not _NAME.fullmatch(name):
        return []
    exact = [card for card in known if name in (card.uuid, card.gpu_uuid)]
    return exact or [
        card for card in known if card.uuid.startswith(name) or card.gpu_uuid.startswith(name)
    ]


def _listed(known: Sequence[Card]) -> str:
    said = [f"{card.place} ({card.model}, {card.uuid})" for card in known]
    return "; ".join(said) or "no GPU, or none that CUDA_VISIBLE_DEVICES leaves"


def _unchecked(
    wanted: Sequence[str] | None, visible: str | None, error: NvmlMissing
) -> tuple[Place, ...]:
    """Return places as they are named, where only the processes themselves can find them missing.

    CUDA can be there without NVML: in a container without the driver capability `utility`.
    """
    names = (_visible(visible) if visible else []) if wanted is None else list(wanted)
    bad = [name for name in names if not _NAME.fullmatch(name)]
    if bad or len({*names}) < len(names):
        msg = f"GPUS: {','.join(names)} are not indices or UUIDs, each once (NVML: {error})"
        raise GpuUnknown(msg)
    if not names:
        log.warning("no GPU is known (%s): one process, on the CPU unless CUDA finds one", error)
        return (Place(name="cpu"),)
    log.warning("nobody knows whether there are the GPUs %s (%s)", ", ".join(names), error)
    return tuple(
        Place(name=f"gpu{name if name.isdecimal() else number}", cuda_visible_devices=name)
        for number, name in enumerate(names)
    )
