import logging
from collections.abc import Callable

import pynvml
import pytest

from tests.unit.worker.driver import MadeUpGpu, driver
from worker.gpus import GpuUnknown, Place, places
from worker.launcher import names
from worker.nvml import measure

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """A function that makes up a driver: the edge to NVML is all that is made up."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make_up(*gpus: MadeUpGpu, trouble: int | None = None) -> None:
        monkeypatch.setitem(
            __import__("sys").modules, "pynvml", driver(list(gpus), trouble=trouble)
        )

    return make_up


@pytest.fixture
def four_gpus(install: Install) -> None:
    install(*(MadeUpGpu(uuid=f"GPU-{name}") for name in ("aa1", "aa2", "bb3", "cc4")))


def named(gpus: str) -> list[str]:
    return [place.name for place in places(gpus)]


@pytest.mark.usefixtures("four_gpus")
def test_every_gpu_has_a_process_that_sees_no_other() -> None:
    found = places("auto")

    assert [place.name for place in found] == ["gpu0", "gpu1", "gpu2", "gpu3"]
    seen = [place.variables["CUDA_VISIBLE_DEVICES"] for place in found]
    assert seen == ["GPU-aa1", "GPU-aa2", "GPU-bb3", "GPU-cc4"]
    assert {place.variables["CUDA_DEVICE_ORDER"] for place in found} == {"PCI_BUS_ID"}
    # Or a process whose GPU is lost would go on under its name, on the CPU.
    assert {place.variables["DEVICE"] for place in found} == {"cuda"}


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize("written", ["1,3", "1, 3", "1 3", " 1 ,3, ", "GPU-aa2,3", "GPU-aa2 GPU-c"])
def test_gpus_are_named_by_index_or_uuid_and_called_by_their_index(written: str) -> None:
    assert named(written) == ["gpu1", "gpu3"]


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("7", "7 is not there"),
        ("GPU-dd", "GPU-dd is not there"),
        ("GPU-aa", "GPU-aa is short for several"),
        ("0,GPU-aa1", "GPU-aa1 is named twice"),
        ("0,0", "0 is named twice"),
        ("auto,0", "auto is not there"),
        ("-1", "-1 is not there"),
    ],
)
def test_a_gpu_that_is_not_there_once_is_refused_with_those_that_are(
    written: str, said: str
) -> None:
    with pytest.raises(GpuUnknown, match=said) as refused:
        places(written)

    if "twice" not in said:
        assert "gpu0 (NVIDIA A100-SXM4-80GB, GPU-aa1); gpu1 (" in str(refused.value)


@pytest.mark.usefixtures("four_gpus")
def test_what_the_launcher_may_not_see_its_processes_do_not_get(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-aa1")
    assert named("auto") == ["gpu2", "gpu0"]
    assert named("0") == ["gpu0"]
    with pytest.raises(GpuUnknown, match="1 is not there; there is gpu2"):
        places("1")
    for nothing in ("", "-1", "-1,0", "NoDevFiles"):  # CUDA reads no further than to -1
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert places("auto") == (Place(name="cpu"),)


@pytest.mark.usefixtures("four_gpus")
def test_a_process_for_the_cpu_sees_no_gpu() -> None:
    for found in (places("cpu"), places("auto", device="cpu"), places("0,1", device="cpu")):
        assert [place.name for place in found] == ["cpu"]
        assert found[0].variables == {
            "CUDA_VISIBLE_DEVICES": "",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        }


def test_a_gpu_in_mig_mode_stands_for_its_parts(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [MadeUpGpu(uuid="MIG-x1"), None, MadeUpGpu(uuid="MIG-x2")]
    install(MadeUpGpu(uuid="GPU-a"), MadeUpGpu(uuid="GPU-b", mig=[*parts]))

    found = places("auto")

    assert [place.name for place in found] == ["gpu0", "gpu1-mig0", "gpu1-mig2"]
    assert [place.cuda_visible_devices for place in found] == ["GPU-a", "MIG-x1", "MIG-x2"]
    assert not caplog.records  # a number without a MIG device is nothing to speak of
    assert named("1") == named("GPU-b") == ["gpu1-mig0", "gpu1-mig2"]
    assert named("MIG-x2,0") == ["gpu1-mig2", "gpu0"]
    with pytest.raises(GpuUnknown, match="short for several"):
        places("MIG-x")
    with pytest.raises(GpuUnknown, match="twice"):
        places("1,MIG-x1")


def test_gpus_without_use_are_named_and_the_others_used(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(
        MadeUpGpu(uuid="GPU-a", is_lost=True),
        MadeUpGpu(uuid="GPU-b", mig=[None]),
        MadeUpGpu(uuid="GPU-c"),
    )

    assert named("auto") == ["gpu2"]
    assert "GPU 0 cannot be used: GPU is lost" in caplog.text
    assert "GPU 1 is in MIG mode and has no MIG devices" in caplog.text


def test_without_nvml_nobody_knows_and_the_log_says_so(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(trouble=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    assert places("auto") == (Place(name="cpu"),)
    assert "no GPU is known (NVML Shared Library Not Found)" in caplog.text
    # It may be no more than the container's driver capability `utility` that is missing.
    assert named("3,GPU-5f") == ["gpu3", "gpu1"]
    assert "nobody knows whether there are the GPUs 3, GPU-5f" in caplog.text
    for wrong in ("first", "0,0", "-1"):
        with pytest.raises(GpuUnknown, match="not indices or UUIDs, each once"):
            places(wrong)


def test_a_machine_without_gpus_runs_jobs_on_the_cpu_and_says_so(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install()
    with caplog.at_level(logging.WARNING):
        assert named("auto") == ["cpu"]

    assert "NVML sees no GPU" in caplog.text


def test_a_card_tells_its_memory_and_the_share_of_a_process(install: Install) -> None:
    part = MadeUpGpu(uuid="MIG-x1", model="NVIDIA A100 MIG 3g.40gb", busy=None)
    install(MadeUpGpu(uuid="GPU-a", shares={7: 2048}, mig=[part]))

    whole, mig = measure("GPU-a", pid=7), measure("MIG-x1", pid=7)

    assert whole is not None
    assert (whole.vram_used_bytes, whole.vram_total_bytes) == (3 * 1024**3, 80 * 1024**3)
    assert (whole.vram_process_bytes, whole.utilization_percent) == (2048, 40)
    assert mig is not None
    assert mig.name == "NVIDIA A100 MIG 3g.40gb"
    assert (mig.vram_process_bytes, mig.utilization_percent) == (None, None)
    assert measure("GPU-b") is None


def test_processes_of_one_place_have_names_of_their_own() -> None:
    cpu, gpu = Place(name="cpu"), Place(name="gpu0", cuda_visible_devices="0")

    host = names([cpu], None)[0].partition("@")[2]
    assert names([cpu, gpu, gpu], None) == [f"cpu@{host}", f"gpu0@{host}", f"gpu0-2@{host}"]
    assert names([cpu, cpu], "mine@home") == ["mine@home", "mine-2@home"]
