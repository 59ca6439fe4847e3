"""No more models than allowed stay loaded, and none leaves that somebody uses."""

import threading
from contextlib import AbstractContextManager
from functools import partial

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.model_cache import ModelCache

WAIT_SECONDS = 10.0
MOST = 2
NAMES = ("default", "tiny", "base", "aligner", "diarizer")


class Model:
    """Large."""

    is_gone = False


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drop(models: dict[str, object]) -> None:
    for model in models.values():
        assert isinstance(model, Model)
        model.is_gone = True
    models.clear()


def limited(clock: Clock | None = None) -> ModelCache:
    return ModelCache(most=MOST, stay={"default"}, let_go=drop, clock=clock or Clock())


def test_the_model_that_was_idle_longest_makes_room() -> None:
    clock = Clock()
    cache = limited(clock)
    for clock.now, name in enumerate(("tiny", "base", "tiny", "aligner")):
        with cache.using(name, Model):
            pass

    assert cache.loaded() == ("tiny", "aligner")


def test_the_old_model_has_left_before_the_new_one_loads() -> None:
    cache = limited()
    for name in ("tiny", "base"):
        with cache.using(name, Model):
            pass
    loaded_meanwhile: list[tuple[str, ...]] = []

    def load() -> Model:
        loaded_meanwhile.append(cache.loaded())
        return Model()

    with cache.using("aligner", load):
        pass

    assert loaded_meanwhile == [("base",)]


def test_a_model_beyond_the_limit_is_loaded_where_all_others_are_in_use_and_leaves_later() -> None:
    cache = limited()
    with (
        cache.using("tiny", Model),
        cache.using("base", Model),
        cache.using("aligner", Model),
    ):
        assert cache.shrink() == ()
        assert len(cache.loaded()) == MOST + 1

    assert len(cache.shrink()) == 1
    assert len(cache.loaded()) == MOST


def test_two_jobs_that_each_hold_one_model_and_want_the_others_do_not_wait_for_ever() -> None:
    cache = ModelCache(most=1, let_go=drop)
    both_hold = threading.Barrier(2)
    done: list[str] = []

    def job(first: str, second: str) -> None:
        with cache.using(first, Model):
            both_hold.wait(WAIT_SECONDS)
            with cache.using(second, Model):
                done.append(second)

    threads = [
        threading.Thread(target=job, args=names, daemon=True)
        for names in (("tiny", "base"), ("base", "tiny"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)

    assert sorted(done) == ["base", "tiny"]


def test_a_load_that_fails_leaves_its_place_to_others() -> None:
    cache = limited()

    def fail() -> Model:
        raise OSError("the disk is gone")

    for _ in range(3):
        try:
            with cache.using("broken", fail):
                pass
        except OSError:
            pass
    for name in ("tiny", "base"):
        with cache.using(name, Model):
            pass

    assert cache.loaded() == ("tiny", "base")


class Loader:
    """Loads models, and notes if one is loaded while it loads already."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loading: set[str] = set()
        self.wrong: list[str] = []

    def load(self, name: str) -> Model:
        with self._lock:
            if name in self._loading:
                self.wrong.append(f"{name} loads twice")
            self._loading.add(name)
        model = Model()
        with self._lock:
            self._loading.discard(name)
        return model


def test_among_many_threads_no_used_model_leaves_and_none_is_loaded_twice_at_once() -> None:
    cache, loader, over = limited(), Loader(), threading.Event()

    def use(offset: int) -> None:
        for turn in range(600):
            name = NAMES[(turn * (offset + 1) + offset) % len(NAMES)]
            with cache.using(name, partial(loader.load, name)) as model:
                if model.is_gone:
                    loader.wrong.append(f"{name} left while in use")

    def sweep() -> None:
        while not over.is_set():
            cache.evict_idle(0.0)
            cache.shrink()

    users = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    sweeper = threading.Thread(target=sweep)
    for thread in (*users, sweeper):
        thread.start()
    for thread in users:
        thread.join(WAIT_SECONDS * 3)
    over.set()
    sweeper.join(WAIT_SECONDS)
    cache.shrink()

    assert loader.wrong == []
    assert len(cache.loaded()) <= MOST


class Jobs(RuleBasedStateMachine):
    """Jobs take and leave models in any order while time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cache = limited(self.clock)
        self.in_use: list[tuple[str, Model, AbstractContextManager[Model]]] = []
        self.used_at: dict[str, float] = {}

    @rule(name=st.sampled_from(NAMES))
    def take(self, name: str) -> None:
        before = set(self.cache.loaded())
        lease = self.cache.using(name, Model)
        model = lease.__enter__()
        self.in_use.append((name, model, lease))
        left = before - set(self.cache.loaded())

        stayed = {n for n in before - left - self._busy() if n != "default"}
        assert len(left) <= max(0, len(before) + 1 - MOST)
        assert all(self.used_at[a] <= self.used_at[b] for a in left for b in stayed)
        if name not in before and stayed:
            assert len(self.cache.loaded()) <= MOST

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if not self.in_use:
            return
        place = data.draw(st.integers(0, len(self.in_use) - 1))
        name, _, lease = self.in_use.pop(place)
        lease.__exit__(None, None, None)
        self.used_at[name] = self.clock.now

    @rule(seconds=st.integers(1, 100))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(seconds=st.integers(0, 100))
    def sweep(self, seconds: int) -> None:
        idle = set(self.cache.loaded()) - self._busy() - {"default"}
        due = {name for name in idle if self.clock.now - self.used_at[name] >= seconds}

        assert set(self.cache.evict_idle(seconds)) == due

    @invariant()
    def what_is_used_is_here(self) -> None:
        assert self._busy() <= set(self.cache.loaded())
        assert not any(model.is_gone for _, model, _ in self.in_use)

    def _busy(self) -> set[str]:
        return {name for name, _, _ in self.in_use}


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
