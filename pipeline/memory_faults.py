"""Tell when the memory of the machine or its GPU is used up, and let go of what is not needed.

Each library says it in its own way, and only some of them by a type of their own:

    Python, numpy, std::bad_alloc through pybind11   MemoryError
    pyannote                                         MemoryError, in place of torch's error
    torch on CUDA                                    torch.OutOfMemoryError "CUDA out of memory. …",
                                                     AcceleratorError "CUDA error: out of memory"
    torch on the CPU                                 RuntimeError "… DefaultCPUAllocator: can't
                                                     allocate memory: …"
    cuBLAS and cuDNN, through torch or CTranslate2   RuntimeError with the name of a status
    CTranslate2 on CUDA                              RuntimeError "CUDA failed with error out of
                                                     memory"
    CTranslate2 on the CPU                           RuntimeError "mkl_malloc: failed to allocate
                                                     memory"
    ONNX Runtime                                     a RuntimeError or Exception of its own "Failed
                                                     to allocate memory for requested buffer …"
    the kernel, asked for a process or a file's map  OSError ENOMEM
    Python, asked for a thread                       RuntimeError "can't start new thread"
    the loader of shared libraries                   ImportError "… failed to map segment …"
"""

import errno
import gc
import re
import sys
from collections.abc import Iterator

from jobs.errors import OutOfMemory

_TEXTS = re.compile(
    r"out of memory"
    r"|(?:can't|cannot|could not|failed to|unable to) allocate memory"
    r"|bad[_ ]alloc(?:ation)?\b"
    r"|ALLOC(?:ATION)?_FAILED"  # CUBLAS_STATUS_, CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ …
    r"|get_temporary_buffer failed"  # thrust, in CTranslate2
    r"|can't start new thread"
    r"|failed to map segment from shared object",
    re.IGNORECASE,
)
# Modules whose own exceptions derive from Exception alone.
_NATIVE = ("onnxruntime",)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, or one that led to it, says that there is no memory left."""
    return any(_says_so(each) for each in _led_to(error))


def free_memory() -> None:
    """Give back what nobody uses any more; the errors that held it must be gone by now.

    What CTranslate2 keeps for its models goes with them.
    """
    gc.collect()
    torch = sys.modules.get("torch")  # where it is not loaded, it holds nothing
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _led_to(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def _says_so(error: BaseException) -> bool:
    match error:
        case MemoryError() | OutOfMemory():
            return True
        case OSError():
            return error.errno == errno.ENOMEM
        case RuntimeError() | ImportError():
            return _TEXTS.search(str(error)) is not None
        case _:
            is_native = type(error).__module__.partition(".")[0] in _NATIVE
            return is_native and _TEXTS.search(str(error)) is not None
