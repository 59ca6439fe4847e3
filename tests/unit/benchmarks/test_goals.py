from typing import Any

import pytest

from benchmarks.goals import Goal, table


def goal(value: float, **more: Any) -> Goal:
    return Goal(what="speed", value=value, goal=2.0, unit="x", **more)


@pytest.mark.parametrize(
    ("sense", "value", "is_reached"),
    [(">=", 2.0, True), (">=", 1.99, False), ("<=", 2.0, True), ("<=", 2.01, False)],
)
def test_a_goal_is_reached_on_its_own_side(sense: Any, value: float, *, is_reached: bool) -> None:
    assert goal(value, sense=sense).is_reached is is_reached
    assert goal(value, sense=sense).as_json()["is_reached"] is is_reached


def test_a_missed_goal_is_shown_as_missed() -> None:
    reached, missed = table([goal(2.5), goal(1.5)]).splitlines()[2:]

    assert reached == "| speed | 2.50 x | >= 2 x | reached |"
    assert missed == "| speed | 1.50 x | >= 2 x | **missed** |"
