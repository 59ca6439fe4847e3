"""Say which processes there are where each does one stage of the jobs, and where they run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.stage_call import StageRole
from worker.gpus import Place

Replicas = Mapping[StageRole, int]
ONE_EACH: Replicas = dict.fromkeys(StageRole, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlace(Place):
    """Where one process does one stage."""

    role: StageRole

    @property
    def variables(self) -> dict[str, str]:
        """What the process has to find in its environment."""
        # No super() here: dataclass made this class anew, for its slots.
        return {**Place.variables.__get__(self), "WORKER_STAGE": self.role}


def parse_replicas(value: object) -> object:
    """Read `whisper=2,align=1`; a stage that is not named has one process.

    Raises:
        ValueError: a name is no stage, or a number is none.
    """
    if not isinstance(value, str):
        return value
    found = dict(ONE_EACH)
    for part in filter(None, (each.strip() for each in value.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in tuple(StageRole) or not number.isdigit() or int(number) > MOST:
            stages = ", ".join(StageRole)
            msg = f"{part!r} is not STAGE=NUMBER, with one of {stages} and 0 to {MOST}"
            raise ValueError(msg)
        found[StageRole(name)] = int(number)
    return found


MOST = 64  # processes of one stage below one launcher


def stage_places(found: Sequence[Place], replicas: Replicas) -> list[StagePlace]:
    """Give each process of each stage a place, in turns.

    Args:
        found: the GPUs, or the place without one.
        replicas: how many processes each stage has.
    """
    roles = [role for role in StageRole for _ in range(replicas[role])]
    return [
        StagePlace(
            name=f"{place.name}-{role}",
            cuda_visible_devices=place.cuda_visible_devices,
            role=role,
        )
        for number, role in enumerate(roles)
        for place in (found[number % len(found)],)
    ]
