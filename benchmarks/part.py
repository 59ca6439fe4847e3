"""Say what a benchmark is: a module with `measure` and `table`, and `goals` if it has any."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from benchmarks.goals import Goal

# In the order in which they run: what says most comes first.
NAMES = (
    "stages",
    "whole",
    "backlog",
    "short_clips",
    "fleet",
    "long_media",
)
BY_NAME_ONLY = ("long_media",)  # takes two hours


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark.

    Its module has `measure(*, runs, quick)`, either of which it may leave out, which returns what
    JSON can hold; `table(measured)`, which returns Markdown; and it may have `goals(measured)`.
    """

    name: str
    module: ModuleType

    @property
    def title(self) -> str:
        """What it measures, in a line."""
        return (inspect.getdoc(self.module) or self.name).splitlines()[0].rstrip(".")

    @property
    def about(self) -> str:
        """How it measures that."""
        return "\n".join((inspect.getdoc(self.module) or "").splitlines()[1:]).strip()

    def measure(self, **asked: Any) -> dict[str, Any]:
        """Measure, with those options that the benchmark knows."""
        known = inspect.signature(self.module.measure).parameters
        found: dict[str, Any] = self.module.measure(
            **{name: value for name, value in asked.items() if name in known}
        )
        return found

    def table(self, measured: Mapping[str, Any]) -> str:
        """Return Markdown."""
        return str(self.module.table(measured))

    def goals(self, measured: Mapping[str, Any]) -> list[Goal]:
        """Return what was to be reached; nothing, if the benchmark has no goals."""
        goals = getattr(self.module, "goals", None)
        return [] if goals is None else list(goals(measured))


def parts() -> dict[str, Part]:
    """Return all benchmarks, by name."""
    return {name: Part(name, importlib.import_module(f"benchmarks.{name}")) for name in NAMES}
