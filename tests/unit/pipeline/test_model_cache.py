import threading

import pytest

from pipeline.model_cache import ModelCache

WAIT_SECONDS = 10.0


def test_a_model_is_loaded_once() -> None:
    cache = ModelCache()
    loads: list[str] = []

    def load() -> str:
        loads.append("tiny")
        return "the model"

    assert [cache.get("tiny", load), cache.get("tiny", load)] == ["the model", "the model"]
    assert loads == ["tiny"]
    assert cache.loaded() == ("tiny",)


def test_two_threads_that_want_one_model_load_it_once() -> None:
    cache = ModelCache()
    loading, go_on = threading.Event(), threading.Event()
    loads: list[object] = []
    got: list[object] = []

    def load() -> object:
        loads.append(None)
        loading.set()
        assert go_on.wait(WAIT_SECONDS)
        return object()

    threads = [threading.Thread(target=lambda: got.append(cache.get("a", load))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert loading.wait(WAIT_SECONDS)
    go_on.set()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    assert len(loads) == 1
    assert len(got) == 4
    assert len(set(map(id, got))) == 1


def test_different_models_load_side_by_side() -> None:
    cache = ModelCache()
    both = threading.Barrier(2)

    def load() -> int:
        return both.wait(WAIT_SECONDS)  # breaks unless the other load is under way as well

    threads = [threading.Thread(target=cache.get, args=(key, load)) for key in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    assert not both.broken
    assert sorted(cache.loaded()) == ["a", "b"]


def test_a_loaded_model_is_served_while_another_one_loads() -> None:
    cache = ModelCache()
    cache.get("small", lambda: "small")
    loading, go_on = threading.Event(), threading.Event()

    def load() -> str:
        loading.set()
        assert go_on.wait(WAIT_SECONDS)
        return "large"

    thread = threading.Thread(target=cache.get, args=("large", load))
    thread.start()
    assert loading.wait(WAIT_SECONDS)

    assert cache.get("small", lambda: "loaded again") == "small"
    assert cache.loaded() == ("small",)

    go_on.set()
    thread.join(WAIT_SECONDS)


def test_a_failed_load_is_tried_again() -> None:
    cache = ModelCache()

    def fail() -> str:
        raise OSError("no memory")

    with pytest.raises(OSError, match="no memory"):
        cache.get("a", fail)

    assert cache.loaded() == ()
    assert cache.get("a", lambda: "model") == "model"
