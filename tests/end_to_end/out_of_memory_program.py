"""Run a real pipeline and take its memory away in the midst of a stage.

python -m tests.end_to_end.out_of_memory_program MEDIA STAGE …

Prints, as a line of JSON, what its runs came to: the first, one without memory from each of the
stages on, and the last, with half the batch.
"""

import json
import resource
import sys
import warnings
from pathlib import Path

from jobs.errors import OutOfMemory
from jobs.options import TranscriptionOptions
from jobs.stages import Stage
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings

SPARE_BYTES = 4 << 20  # for Python's own objects
OPTIONS = TranscriptionOptions(model="tiny.en", language="en", diarize=True)


def mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def limit(most_bytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, hard))


class Tightening:
    """Leaves the process hardly more memory than it has, from the beginning of a stage on."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._is_done = False

    def __call__(self, stage: Stage, fraction: float) -> None:
        if stage is self._stage and not self._is_done:
            limit(mapped_bytes() + SPARE_BYTES)
            self._is_done = True


def shortage(pipeline: Pipeline, media: Path, stage: Stage) -> str | None:
    """Run out of memory; returns the error's code."""
    try:
        pipeline.run(media, OPTIONS, Tightening(stage))
    except OutOfMemory as error:
        return error.code
    finally:
        limit(resource.RLIM_INFINITY)
    return None


def main() -> None:
    media, *stages = sys.argv[1:]
    warnings.simplefilter("ignore")  # of what pyannote imports
    pipeline = Pipeline(PipelineSettings(device="cpu", batch_size=2, hf_hub_offline=True))
    first = pipeline.run(Path(media), OPTIONS)
    found = {stage: shortage(pipeline, Path(media), Stage(stage)) for stage in stages}
    last = pipeline.run(Path(media), OPTIONS, batch_share=0.5)
    print(  # noqa: T201 - a program
        json.dumps(
            {
                "first": first.model_dump(mode="json"),
                "shortages": found,
                "last": last.model_dump(mode="json"),
            }
        )
    )


if __name__ == "__main__":
    main()
