from types import SimpleNamespace

import pytest

from worker.gpus import Place, places
from worker.launcher import names


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that knows four GPUs: the edge to NVML is all that is made up."""
    driver = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 4,
        nvmlShutdown=lambda: None,
    )
    monkeypatch.setitem(__import__("sys").modules, "pynvml", driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("four_gpus")
def test_every_gpu_has_a_process_that_sees_no_other() -> None:
    found = places("auto")

    assert [place.name for place in found] == ["gpu0", "gpu1", "gpu2", "gpu3"]
    assert [place.variables["CUDA_VISIBLE_DEVICES"] for place in found] == ["0", "1", "2", "3"]
    assert {place.variables["CUDA_DEVICE_ORDER"] for place in found} == {"PCI_BUS_ID"}


@pytest.mark.usefixtures("four_gpus")
def test_only_the_gpus_that_are_named_or_visible_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [place.name for place in places("1, 3")] == ["gpu1", "gpu3"]
    assert [p.cuda_visible_devices for p in places("GPU-5f,MIG-7a")] == ["GPU-5f", "MIG-7a"]
    assert [place.name for place in places("GPU-5f,MIG-7a")] == ["gpu0", "gpu1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert [place.name for place in places("auto")] == ["gpu2"]
    for nothing in ("", "-1", "-1,0"):  # CUDA reads no further than to -1
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert places("auto") == (Place(name="cpu"),)


@pytest.mark.usefixtures("four_gpus")
def test_a_process_for_the_cpu_sees_no_gpu() -> None:
    for found in (places("cpu"), places("auto", device="cpu"), places("0,1", device="cpu")):
        assert [place.name for place in found] == ["cpu"]
        assert found[0].variables["CUDA_VISIBLE_DEVICES"] == ""


def test_a_machine_without_a_driver_runs_jobs_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert [place.name for place in places("auto")] == ["cpu"]


def test_processes_of_one_place_have_names_of_their_own() -> None:
    cpu, gpu = Place(name="cpu"), Place(name="gpu0", cuda_visible_devices="0")

    host = names([cpu], None)[0].partition("@")[2]
    assert names([cpu, gpu, gpu], None) == [f"cpu@{host}", f"gpu0@{host}", f"gpu0-2@{host}"]
    assert names([cpu, cpu], "mine@home") == ["mine@home", "mine-2@home"]
