"""A driver with GPUs that are not there: the names, answers and errors of nvidia-ml-py."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml


@dataclass(slots=True, kw_only=True)
class MadeUpGpu:
    """One GPU, or one MIG device."""

    uuid: str
    model: str = "NVIDIA A100-SXM4-80GB"
    used: int = 3 * 1024**3  # bytes
    total: int = 80 * 1024**3
    busy: int | None = 40  # percent; None: it does not tell
    shares: dict[int, int] = field(default_factory=dict)  # bytes by process
    mig: list["MadeUpGpu | None"] | None = None  # by number, with gaps; None: it knows no MIG mode
    is_lost: bool = False


def driver(  # noqa: C901  # a small function for each of the library's
    gpus: list[MadeUpGpu], *, trouble: int | None = None
) -> SimpleNamespace:
    """Return what stands for the module `pynvml`.

    Args:
        gpus: in the order of the bus.
        trouble: the error that NVML begins with, as pynvml.NVML_ERROR_LIBRARY_NOT_FOUND.
    """

    def error(number: int) -> Exception:
        raised: Exception = pynvml.NVMLError(number)
        return raised

    def init() -> None:
        if trouble is not None:
            raise error(trouble)

    def at(index: int) -> MadeUpGpu:
        if gpus[index].is_lost:
            raise error(pynvml.NVML_ERROR_GPU_IS_LOST)
        return gpus[index]

    def by_uuid(uuid: str) -> MadeUpGpu:
        every: list[MadeUpGpu] = [
            part for gpu in gpus for part in (gpu, *(gpu.mig or ())) if part is not None
        ]
        for gpu in every:
            if gpu.uuid == uuid:
                if gpu.is_lost:
                    raise error(pynvml.NVML_ERROR_GPU_IS_LOST)
                return gpu
        raise error(pynvml.NVML_ERROR_NOT_FOUND)

    def mig_mode(gpu: MadeUpGpu) -> list[int]:  # current, pending
        if gpu.mig is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return [pynvml.NVML_DEVICE_MIG_ENABLE] * 2

    def mig_at(gpu: MadeUpGpu, index: int) -> MadeUpGpu:
        found = (gpu.mig or [])[index]
        if found is None:
            raise error(pynvml.NVML_ERROR_NOT_FOUND)
        return found

    def rates(gpu: MadeUpGpu) -> Any:
        if gpu.busy is None:
            raise error(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=gpu.busy, memory=0)

    def processes(gpu: MadeUpGpu) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=held) for pid, held in gpu.shares.items()]

    answers: dict[str, Callable[..., Any]] = {
        "nvmlInit": init,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: len(gpus),
        "nvmlDeviceGetHandleByIndex": at,
        "nvmlDeviceGetHandleByUUID": by_uuid,
        "nvmlDeviceGetUUID": lambda gpu: gpu.uuid,
        "nvmlDeviceGetName": lambda gpu: gpu.model,
        "nvmlDeviceGetMigMode": mig_mode,
        "nvmlDeviceGetMaxMigDeviceCount": lambda gpu: len(gpu.mig or []),
        "nvmlDeviceGetMigDeviceHandleByIndex": mig_at,
        "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(used=gpu.used, total=gpu.total),
        "nvmlDeviceGetUtilizationRates": rates,
        "nvmlDeviceGetComputeRunningProcesses": processes,
    }
    constants = {name: getattr(pynvml, name) for name in dir(pynvml) if name.startswith("NVML_")}
    return SimpleNamespace(NVMLError=pynvml.NVMLError, **constants, **answers)
