"""Hold measurements against what this service sets out to reach; nothing fails by it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of what is to be reached."""

    what: str
    value: float
    goal: float
    unit: Literal["x", "%", "points", "texts", "GiB"]
    sense: Literal[">=", "<="] = ">="

    @property
    def is_reached(self) -> bool:
        """Whether the measurement is where it should be."""
        return self.value >= self.goal if self.sense == ">=" else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        """Return everything, for a program's eyes."""
        return {**asdict(self), "is_reached": self.is_reached}


def table(goals: Sequence[Goal]) -> str:
    """Return goals as a Markdown table."""
    lines = ["| goal | measured | wanted | |", "|---|---|---|---|"]
    for goal in goals:
        verdict = "reached" if goal.is_reached else "**missed**"
        lines.append(
            f"| {goal.what} | {goal.value:.2f} {goal.unit} "
            f"| {goal.sense} {goal.goal:g} {goal.unit} | {verdict} |"
        )
    return "\n".join(lines)
