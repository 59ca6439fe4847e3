"""What libraries say when there is no memory left; their own words, from where they ran out."""

import errno

import pytest

from jobs.errors import CorruptMedia, ModelUnavailable, OutOfMemory
from pipeline.memory_faults import free_memory, is_out_of_memory

# torch.OutOfMemoryError and torch.AcceleratorError are RuntimeErrors.
TEXTS = [
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of "
    "which 1.02 GiB is free. Process 7 has 14.74 GiB memory in use.",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 196605952 bytes. Error code 12 (Cannot allocate memory)",
    "Could not allocate memory for Tensor SizesAndStrides!",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "CUDA failed with error out of memory",
    "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED",
    "mkl_malloc: failed to allocate memory",
    "bad allocation: cudaErrorMemoryAllocation: out of memory",
    "temporary_buffer::allocate: get_temporary_buffer failed",
    "std::bad_alloc",
    "can't start new thread",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_library_that_gets_no_memory_is_understood(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9.20 MiB for an array with shape (1, 3001, 201)"),
        MemoryError("batch_size ( 4) is probably too large. Try with a smaller value"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OutOfMemory("the machine had no memory left for the decoder"),
    ],
)
def test_so_are_python_and_the_kernel(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_so_is_onnx_runtime_whose_errors_are_its_own() -> None:
    states = pytest.importorskip("onnxruntime.capi.onnxruntime_pybind11_state")
    text = "Non-zero status code returned while running Conv node. Failed to allocate memory for "

    assert is_out_of_memory(states.RuntimeException(text + "requested buffer of size 66844672"))
    assert not is_out_of_memory(states.RuntimeException("Got invalid dimensions for input: h"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA failed with error invalid device ordinal"),
        RuntimeError("CUDNN_STATUS_NOT_SUPPORTED"),
        ImportError("libcudnn.so.9: cannot open shared object file"),
        OSError(errno.ENOSPC, "No space left on device"),
        ValueError("out of memory"),  # a text that somebody sent
        CorruptMedia("out of memory"),
    ],
)
def test_another_fault_is_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_it_is_found_behind_what_became_of_it() -> None:
    model = ModelUnavailable("broken: pull it again")
    model.__cause__ = OSError("unreadable")
    model.__cause__.__context__ = RuntimeError("CUDA failed with error out of memory")

    assert is_out_of_memory(model)
    model.__cause__.__suppress_context__ = True
    assert not is_out_of_memory(model)


def test_errors_that_lead_in_a_circle_are_looked_at_once() -> None:
    one, other = ValueError(), ValueError()
    one.__cause__, other.__cause__ = other, one

    assert not is_out_of_memory(one)


def test_memory_can_be_freed_where_no_model_was_ever_loaded() -> None:
    free_memory()
