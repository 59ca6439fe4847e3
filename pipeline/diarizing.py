"""Find who spoke when."""

import heapq
import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.options import MAX_SPEAKERS
from jobs.stages import Stage
from pipeline.batching import reduced
from pipeline.diarizer_progress import DiarizerProgress
from pipeline.diarizer_tuning import DiarizerTuning
from pipeline.one_by_one import OneByOne
from pipeline.progress import OnProgress
from pipeline.speech import Diarization, Turn
from pipeline.telemetry import phone_nobody
from pipeline.waveform import SAMPLE_RATE, Waveform

COMMUNITY = "pyannote/speaker-diarization-community-1"
BUNDLED = "bundled: pyannote/segmentation-3.0 + 3D-Speaker CAM++ (zh-en, 16k common)"

log = logging.getLogger(__name__)


class Diarizer:
    """A pyannote pipeline, used by one thread at a time.

    Args:
        name: what runs, for the transcript.
        pipeline: a pyannote `SpeakerDiarization`, instantiated.
    """

    def __init__(self, *, name: str, pipeline: Any) -> None:
        self.name = name
        self._pipeline = pipeline
        # The pipeline keeps nothing from call to call, but two calls need the memory of two.
        self._one_by_one = OneByOne()

    def diarize(
        self,
        waveform: Waveform,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        with_embeddings: bool,
        on_progress: OnProgress,
        batch_share: float = 1.0,
    ) -> Diarization:
        """Find who spoke when.

        Args:
            waveform: any length; a memory map is shared, not copied.
            num_speakers: exactly; wins over the two below. Fewer are found where the media is too
                short to tell so many apart.
            min_speakers: at least.
            max_speakers: at most; None: MAX_SPEAKERS.
            with_embeddings: also describe each voice by a vector, whose length and meaning
                depend on `name`.
            on_progress: what it raises ends the run.
            batch_share: of the usual batches, above 0 to 1.

        Returns:
            Turns inside the media. Empty where nobody speaks.
        """
        on_progress(Stage.DIARIZE, 0.0)
        if not len(waveform):
            on_progress(Stage.DIARIZE, 1.0)
            return Diarization(turns=(), exclusive=(), embeddings={})
        bounds = {"min_speakers": min_speakers, "max_speakers": max_speakers or MAX_SPEAKERS}
        if num_speakers is not None:
            bounds = {"num_speakers": num_speakers}
        progress = DiarizerProgress(on_progress)
        with self._one_by_one.alone(progress.waited) as advance, self._reduced(batch_share):
            progress.tell_others(advance)
            _silence_pyannote()
            file = {"waveform": _shared(waveform), "sample_rate": SAMPLE_RATE}
            output = self._pipeline(file, hook=progress, **bounds)
        diarization = _diarization(
            output, seconds=len(waveform) / SAMPLE_RATE, with_embeddings=with_embeddings
        )
        on_progress(Stage.DIARIZE, 1.0)
        return diarization

    @contextmanager
    def _reduced(self, share: float) -> Iterator[None]:
        """Take smaller batches; whoever calls this has the pipeline for itself."""
        pipeline = self._pipeline
        usual = pipeline.segmentation_batch_size, pipeline.embedding_batch_size
        pipeline.segmentation_batch_size = reduced(usual[0], share)
        pipeline.embedding_batch_size = reduced(usual[1], share)
        try:
            yield
        finally:
            pipeline.segmentation_batch_size, pipeline.embedding_batch_size = usual


def load_bundled(
    *,
    segmentation: Path,
    embedding: Path,
    device: str,
    tuning: DiarizerTuning,
) -> Diarizer:
    """Load the diarizer that needs no token.

    Args:
        segmentation: `pytorch_model.bin` of segmentation-3.0.
        embedding: `campplus_cn_en_common.pt`.
        device: cpu or cuda.
        tuning: what the deployment changes.
    """
    _import_quietly()
    from pipeline.bundled_diarizer import bundled

    pipeline = bundled(segmentation, embedding, device=device)
    tuning.apply(pipeline)
    return Diarizer(name=BUNDLED, pipeline=pipeline)


def load_community(
    *,
    checkpoint: Path | str = COMMUNITY,
    token: str | None,
    device: str,
    tuning: DiarizerTuning,
) -> Diarizer:
    """Load pyannote's community-1.

    Args:
        checkpoint: its folder, or its name on the hub.
        token: opens the hub's gate; a folder needs none.
        device: cpu or cuda.
        tuning: as for `load_bundled`.

    Raises:
        FileNotFoundError: pyannote got no pipeline from there; its log says why.
    """
    _import_quietly()
    import torch
    from pyannote.audio import Pipeline

    from pipeline.bounded_diarization import bounded

    pipeline = Pipeline.from_pretrained(checkpoint, token=token)
    if pipeline is None:  # pyannote's answer when the hub refuses
        msg = f"pyannote got no pipeline from {checkpoint}"
        raise FileNotFoundError(msg)
    pipeline.to(torch.device(device))
    bounded(pipeline)
    tuning.apply(pipeline)
    return Diarizer(name=COMMUNITY, pipeline=pipeline)


def _import_quietly() -> None:
    """Import pyannote so that it reports nothing to anybody and does not warn."""
    phone_nobody()
    # Decoding is ours: pyannote only ever gets waveforms.
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")
    import pyannote.audio  # noqa: F401 - for its effects, under the filter above


def _silence_pyannote() -> None:
    """Silence what is no news; for good, as `catch_warnings` would not be safe among threads."""
    # Fewer speakers than asked for is an answer.
    warnings.filterwarnings("ignore", message=r"\s*The detected number of speakers")
    # Of a read-only memory map, which nothing here writes to.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    # It switches TensorFloat-32 off itself, and says so.
    warnings.filterwarnings("ignore", message="TensorFloat-32")


def _shared(waveform: Waveform) -> Any:
    """Show a waveform to torch, without a copy, as (1, n_samples)."""
    import torch

    return torch.from_numpy(waveform)[None]


def _diarization(output: Any, *, seconds: float, with_embeddings: bool) -> Diarization:
    """Take what pyannote found over into our own words."""
    turns = _turns(output.speaker_diarization, seconds)
    exclusive = never_overlapping(_turns(output.exclusive_speaker_diarization, seconds))
    theirs = dict.fromkeys(turn.speaker for turn in (*turns, *exclusive))
    ours = {label: f"SPEAKER_{number:02d}" for number, label in enumerate(theirs)}
    embeddings = {}
    if with_embeddings and output.speaker_embeddings is not None:
        labels = output.speaker_diarization.labels()
        for label, embedding in zip(labels, output.speaker_embeddings.tolist(), strict=True):
            # pyannote pads with zeros for voices that no cluster claimed.
            if label in ours and all(map(math.isfinite, embedding)) and any(embedding):
                embeddings[ours[label]] = tuple(embedding)
    return Diarization(
        turns=_renamed(turns, ours),
        exclusive=_renamed(exclusive, ours),
        embeddings=dict(sorted(embeddings.items())),
    )


def _turns(annotation: Any, seconds: float) -> list[Turn]:
    """List an annotation's turns by start, cut at the end of the media."""
    found = [
        Turn(start=max(segment.start, 0.0), end=min(segment.end, seconds), speaker=str(label))
        for segment, _, label in annotation.itertracks(yield_label=True)
    ]
    return sorted((t for t in found if t.start < t.end), key=_when)


def _when(turn: Turn) -> tuple[float, float, str]:
    return turn.start, turn.end, turn.speaker


def _renamed(turns: Iterable[Turn], labels: dict[str, str]) -> tuple[Turn, ...]:
    return tuple(Turn(start=t.start, end=t.end, speaker=labels[t.speaker]) for t in turns)


def never_overlapping(turns: Iterable[Turn]) -> list[Turn]:
    """Give every instant one speaker: whoever began last, until that turn ends.

    With DIARIZE_MIN_DURATION_OFF pyannote fills a speaker's pauses also where somebody else talks
    in them.
    """
    waiting = [_when(turn) for turn in turns]
    heapq.heapify(waiting)
    result: list[Turn] = []
    while waiting:
        start, end, speaker = heapq.heappop(waiting)
        if result and result[-1].end > start:
            under = result.pop()
            if under.start < start:
                result.append(Turn(start=under.start, end=start, speaker=under.speaker))
            if under.end > end:
                heapq.heappush(waiting, (end, under.end, under.speaker))
        result.append(Turn(start=start, end=end, speaker=speaker))
    return result
