from benchmarks.turns import in_turns, median_ratio


def test_who_begins_changes_with_every_run() -> None:
    called: list[str] = []
    contenders = {name: lambda name=name: called.append(name) for name in ("one", "other")}

    counted = [name for name, _ in in_turns(contenders, runs=3, warm_up=False)]

    assert counted == called == ["one", "other", "other", "one", "one", "other"]


def test_warming_up_does_not_count() -> None:
    calls = iter(range(10))

    counted = list(in_turns({"one": lambda: next(calls)}, runs=2))

    assert counted == [("one", 1), ("one", 2)]


def test_a_slow_turn_is_held_against_neither() -> None:
    assert median_ratio([2.0, 20.0, 2.0], [1.0, 10.0, 4.0]) == 2.0
