"""This pipeline, called as a worker calls it."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hypothesis import Hypothesis
from benchmarks.processor_time import processor_seconds
from benchmarks.scoring import SpeakerTurn, TimedWord
from jobs.options import TranscriptionOptions
from pipeline.pipeline import Pipeline
from pipeline.settings import PipelineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How one backlog went through the pipeline."""

    seconds: float  # wall time
    texts: list[str]
    processor_seconds: float  # its decoders' included


class Ours:
    """A pipeline with its models."""

    def __init__(self, settings: PipelineSettings) -> None:
        self._settings = settings
        self._pipeline = Pipeline(settings)
        self._pipeline.warm_up()

    def hear(self, media: Path) -> Hypothesis:
        """Do what a worker does with a file that it has fetched; decoding is included."""
        began = time.perf_counter()
        transcript = self._pipeline.run(media, TranscriptionOptions())
        seconds = time.perf_counter() - began
        return Hypothesis(
            text=transcript.text,
            words=tuple(
                TimedWord(word=word.word, start=word.start, end=word.end)
                for segment in transcript.segments
                for word in segment.words
            ),
            turns=tuple(
                SpeakerTurn(start=turn.start, end=turn.end, speaker=turn.speaker)
                for turn in transcript.turns
            ),
            seconds=seconds,
        )

    def drain(self, media: Sequence[Path], options: dict[str, Any], *, at_once: int) -> Drained:
        """Work off files in their order, some at once."""
        asked = TranscriptionOptions(**options)

        def text(path: Path) -> str:
            return self._pipeline.run(path, asked).text

        before, began = processor_seconds(os.getpid()), time.perf_counter()
        with ThreadPoolExecutor(max_workers=at_once) as threads:
            texts = list(threads.map(text, media))
        return Drained(
            seconds=time.perf_counter() - began,
            texts=texts,
            processor_seconds=processor_seconds(os.getpid()) - before,
        )
