"""Change the parameters of a pyannote pipeline that a deployment sets."""

import json
import logging
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

log = logging.getLogger(__name__)


class _Parameters(BaseModel):
    """By pyannote's own names, in its own ranges; None: as the pipeline was tuned."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Segmentation(_Parameters):
    """How turns are cut."""

    min_duration_off: float | None = Field(default=None, ge=0)  # seconds; shorter pauses are filled


class Clustering(_Parameters):
    """How voices become speakers."""

    threshold: float | None = Field(default=None, gt=0, lt=2)  # distance of two speakers
    Fa: float | None = Field(default=None, gt=0)  # of community-1's VBx
    Fb: float | None = Field(default=None, gt=0)  # of community-1's VBx
    min_cluster_size: int | None = Field(default=None, ge=1)  # voices; of the bundled diarizer
    method: (
        Literal["average", "centroid", "complete", "median", "single", "ward", "weighted"] | None
    ) = None  # of the bundled diarizer


class DiarizerTuning(_Parameters):
    """The parameters of a diarizer that are not left as they were tuned.

    There are two diarizers, and each has parameters of its own; those that the running one does not
    have are left out, with a warning in the log.
    """

    segmentation: Segmentation = Segmentation()
    clustering: Clustering = Clustering()

    def but(self, *, threshold: float | None, min_duration_off: float | None) -> "DiarizerTuning":
        """Add two settings that have variables of their own; what is set here already wins."""
        mine = self.model_dump(exclude_none=True)
        return DiarizerTuning.model_validate(
            {
                "segmentation": {"min_duration_off": min_duration_off, **mine["segmentation"]},
                "clustering": {"threshold": threshold, **mine["clustering"]},
            }
        )

    def apply(self, pipeline: Any) -> None:
        """Change an instantiated pyannote pipeline."""
        parameters = pipeline.parameters(instantiated=True)
        for group, values in self.model_dump(exclude_none=True).items():
            for name, value in values.items():
                if name in parameters.get(group, {}):
                    parameters[group][name] = value
                else:
                    log.warning("this diarizer has no parameter %s.%s", group, name)
        pipeline.instantiate(parameters)


def _read(value: object) -> object:
    """Read JSON, and say of every fault in one line which name is at fault."""
    if not isinstance(value, str):
        return value
    try:
        return DiarizerTuning.model_validate(json.loads(value))
    except json.JSONDecodeError as error:
        msg = f"no JSON object: {error}"
        raise ValueError(msg) from error
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or value}: "
            f"{'no such parameter' if fault['type'] == 'extra_forbidden' else fault['msg']}"
            for fault in error.errors()
        )
        raise ValueError("; ".join(faults)) from error


# As an environment variable: {"segmentation": {"min_duration_off": 0.1}}
TuningInJson = Annotated[DiarizerTuning, BeforeValidator(_read)]
