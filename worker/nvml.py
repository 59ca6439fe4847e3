"""Ask NVML, the driver's own library, which GPUs there are and how they fare, without CUDA.

Read against pynvml of nvidia-ml-py 13; what a card or a driver does not tell is None.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jobs.workers import Gpu

log = logging.getLogger(__name__)


class NvmlMissing(Exception):
    """There is no NVML: no driver, or a container that may not use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What CUDA computes on: a GPU, or a MIG device, which is a part of one."""

    index: int  # of the GPU, in the order of the PCI bus, as nvidia-smi counts
    uuid: str  # GPU-… or MIG-…; as CUDA_VISIBLE_DEVICES takes it
    model: str  # NVIDIA A100-SXM4-80GB
    gpu_uuid: str  # of the whole GPU
    mig: int | None = None  # which part of the GPU; None: it is whole

    @property
    def place(self) -> str:
        """Return what its worker is called."""
        return f"gpu{self.index}" if self.mig is None else f"gpu{self.index}-mig{self.mig}"


def cards() -> tuple[Card, ...]:
    """Return all that CUDA can compute on; of a GPU in MIG mode that is its parts.

    Raises:
        NvmlMissing: nobody can tell.
    """
    with _nvml() as nvml:
        return tuple(card for index in range(nvml.nvmlDeviceGetCount()) for card in _at(index))


def measure(uuid: str, *, pid: int | None = None) -> Gpu | None:
    """Return how a GPU or MIG device fares; None where NVML is missing or the card is lost.

    Args:
        uuid: GPU-… or MIG-…
        pid: of the process whose share is wanted. NVML counts as the machine does: inside a
            container with process ids of its own, none is found.
    """
    try:
        with _nvml() as nvml:
            handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            return Gpu(
                name=nvml.nvmlDeviceGetName(handle),
                uuid=uuid,
                index=0,  # the only one that its process sees
                vram_used_bytes=memory.used,
                vram_total_bytes=memory.total,
                vram_process_bytes=None if pid is None else _share(handle, pid),
                utilization_percent=_told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            )
    except NvmlMissing:
        return None
    except _error() as error:
        log.debug("%s tells nothing: %s", uuid, error)
        return None


@contextmanager
def _nvml() -> Iterator[Any]:
    """NVML, ready to be asked; it counts its users, so that a block may stand in another."""
    import pynvml  # only here: a machine without GPUs has no use for it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise NvmlMissing(str(error)) from error
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _at(index: int) -> list[Card]:
    import pynvml

    try:
        gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid, model = pynvml.nvmlDeviceGetUUID(gpu), pynvml.nvmlDeviceGetName(gpu)
    except pynvml.NVMLError as error:  # it fell off the bus; the others are none the worse
        log.error("GPU %d cannot be used: %s", index, error)  # noqa: TRY400  # NVML says it all
        return []
    mode = _told(lambda: pynvml.nvmlDeviceGetMigMode(gpu)[0])
    if mode != pynvml.NVML_DEVICE_MIG_ENABLE:
        return [Card(index=index, uuid=uuid, model=model, gpu_uuid=uuid)]
    found = [
        Card(
            index=index,
            uuid=pynvml.nvmlDeviceGetUUID(part),
            model=pynvml.nvmlDeviceGetName(part),
            gpu_uuid=uuid,
            mig=number,
        )
        for number, part in _parts(gpu)
    ]
    if not found:
        log.error("GPU %d is in MIG mode and has no MIG devices: nothing runs there", index)
    return found


def _parts(gpu: Any) -> Iterator[tuple[int, Any]]:
    """Return the MIG devices of a GPU; their numbers may have gaps."""
    import pynvml

    for number in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            yield number, pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, number)
        except pynvml.NVMLError as error:
            if error.value != pynvml.NVML_ERROR_NOT_FOUND:
                log.error("MIG device %d cannot be used: %s", number, error)  # noqa: TRY400


def _share(handle: Any, pid: int) -> int | None:
    """Return the bytes that a process holds on a card."""
    import pynvml

    processes = _told(lambda: pynvml.nvmlDeviceGetComputeRunningProcesses(handle)) or []
    return next((each.usedGpuMemory for each in processes if each.pid == pid), None)


def _told(ask: Callable[[], Any]) -> Any:
    """Return an answer; None where this card has none: there is no MIG mode on a GeForce."""
    try:
        return ask()
    except _error():
        return None


def _error() -> type[Exception]:
    import pynvml

    error: type[Exception] = pynvml.NVMLError
    return error
