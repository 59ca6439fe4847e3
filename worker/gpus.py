"""Find the GPUs of this machine, without touching CUDA: that is for those who run jobs."""

import logging
import os
from dataclasses import dataclass
from itertools import takewhile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one process runs its jobs."""

    name: str  # gpu0, cpu: the first part of the worker's name
    cuda_visible_devices: str | None = None  # None: leave it as it is

    @property
    def variables(self) -> dict[str, str]:
        """What the process has to find in its environment."""
        if self.cuda_visible_devices is None:
            return {}
        return {
            "CUDA_VISIBLE_DEVICES": self.cuda_visible_devices,
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # else the fastest card would be 0, unlike NVML's
        }


def places(gpus: str, *, device: str | None = None) -> tuple[Place, ...]:
    """Return where processes are to run, one for each GPU; one without where there is none.

    Args:
        gpus: `auto`, `cpu`, or indices or UUIDs (`0,1`, `GPU-…,MIG-…`).
        device: `cpu` overrules all of it.
    """
    if "cpu" in (gpus, device):
        return (Place(name="cpu", cuda_visible_devices=""),)  # also where there is a GPU
    if gpus == "auto":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = _visible(visible) if visible is not None else _counted()
    else:
        names = _split(gpus)
    if not names:
        return (Place(name="cpu"),)
    return tuple(
        Place(name=f"gpu{name if name.isdigit() else number}", cuda_visible_devices=name)
        for number, name in enumerate(names)
    )


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _visible(names: str) -> list[str]:
    """Return what CUDA sees: it reads no further than to what is no GPU, as the usual -1."""
    return list(takewhile(lambda name: not name.startswith("-"), _split(names)))


def _counted() -> list[str]:
    """Return the indices that the driver knows; none where there is no driver."""
    import pynvml  # only here: a machine without GPUs has no use for it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.info("no GPU: %s", error)
        return []
    try:
        return [str(index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()
