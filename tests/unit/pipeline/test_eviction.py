"""Models that nobody uses leave the memory; those in use never do."""

import gc
import threading
import weakref

from pipeline.eviction import IdleSweep
from pipeline.model_cache import ModelCache

WAIT_SECONDS = 10.0


class Model:
    """Large."""


def used(cache: ModelCache, key: str) -> "weakref.ref[Model]":
    with cache.using(key, Model) as model:
        return weakref.ref(model)


def test_an_idle_model_is_let_go_and_its_memory_freed() -> None:
    cache = ModelCache()
    model = used(cache, "large")

    assert cache.evict_idle(0.0) == ("large",)
    assert cache.loaded() == ()
    gc.collect()
    assert model() is None


def test_a_model_that_was_used_lately_stays() -> None:
    cache = ModelCache()
    used(cache, "large")

    assert cache.evict_idle(3600.0) == ()
    assert cache.loaded() == ("large",)


def test_a_model_in_use_stays_however_long_that_takes() -> None:
    cache = ModelCache()
    with cache.using("large", Model), cache.using("large", Model):
        assert cache.evict_idle(0.0) == ()
    with cache.using("large", Model):
        assert cache.evict_idle(0.0) == ()

    assert cache.evict_idle(0.0) == ("large",)


def test_a_model_whose_user_failed_is_idle() -> None:
    cache = ModelCache()
    try:
        with cache.using("large", Model):
            raise OSError
    except OSError:
        pass

    assert cache.evict_idle(0.0) == ("large",)


def test_kept_and_named_models_stay() -> None:
    cache = ModelCache(stay={"default"})
    used(cache, "kept")
    cache.get("kept", Model)
    used(cache, "default")
    used(cache, "large")

    assert cache.evict_idle(0.0) == ("large",)
    assert cache.loaded() == ("kept", "default")


def test_an_evicted_model_is_loaded_again() -> None:
    cache = ModelCache()
    used(cache, "large")
    cache.evict_idle(0.0)

    assert used(cache, "large") is not None
    assert cache.loaded() == ("large",)


def test_no_eviction_comes_between_a_user_and_its_model() -> None:
    cache = ModelCache()
    over = threading.Event()
    missing: list[str] = []

    def use() -> None:
        for _ in range(2000):
            with cache.using("large", Model):
                if cache.loaded() != ("large",):
                    missing.append("evicted while in use")

    def evict() -> None:
        while not over.is_set():
            cache.evict_idle(0.0)

    users = [threading.Thread(target=use) for _ in range(3)]
    sweeper = threading.Thread(target=evict)
    for thread in (*users, sweeper):
        thread.start()
    for thread in users:
        thread.join(WAIT_SECONDS)
    over.set()
    sweeper.join(WAIT_SECONDS)

    assert missing == []


def test_a_sweep_looks_again_and_again_whatever_an_eviction_says() -> None:
    looks: list[None] = []
    enough = threading.Event()

    def evict() -> tuple[str, ...]:
        looks.append(None)
        if len(looks) == 4:
            enough.set()
        if len(looks) == 2:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return ("large",)

    sweep = IdleSweep(evict, interval_seconds=0.001)
    sweep.start()
    went_on = enough.wait(WAIT_SECONDS)
    sweep.stop()

    assert went_on
