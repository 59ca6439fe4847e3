"""Build the diarization pipeline that needs no token: segmentation-3.0 and CAM++.

Only imported inside functions (by `diarizing`): importing pyannote takes seconds.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253 - see above
from pyannote.audio import Model, Pipeline  # noqa: TID253 - see above
from pyannote.audio.core.plda import PLDA  # noqa: TID253 - see above
from pyannote.audio.core.task import (  # noqa: TID253 - see above
    Problem,
    Resolution,
    Specifications,
)
from pyannote.audio.models.segmentation import PyanNet  # noqa: TID253 - see above
from pyannote.audio.pipelines import SpeakerDiarization  # noqa: TID253 - see above
from pyannote.core import SlidingWindowFeature  # noqa: TID253 - see above

from pipeline import campplus
from pipeline.bounded_diarization import bounded
from pipeline.campplus import CamPlusPlus
from pipeline.waveform import SAMPLE_RATE

STEP = 0.1  # of the 10 s window; 0.25 saves half the time and costs 1.1 points of DER
CLUSTERING_THRESHOLD = 0.7  # distance of unit vectors; for CAM++, other embeddings need another
MIN_CLUSTER_SIZE = 6  # voices; smaller clusters join their nearest
SEGMENTATION_BATCH = {"cpu": 4, "cuda": 32}  # windows; small on the CPU, where one takes 0.1 s
EMBEDDING_BATCH = {"cpu": 1, "cuda": 64}  # voices
_WINDOWS_AT_ONCE = 50  # whose mel bands are held: a minute of sound
_MIN_VOICE_FRAMES = 10  # mel frames, 0.1 s; less says nothing of a voice
# Mel frames; voices are repeated up to a multiple of it, so that several fit in one batch. On the
# CPU a batch is no faster than its voices one by one, and 1 leaves each voice as it is.
REPEATED_TO = {"cpu": 1, "cuda": 100}

Hook = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one voice says in one window."""

    window: int
    number: int
    bands: torch.Tensor  # shape (n_frames, N_MELS), minus their mean


def bundled(segmentation: Path, embedding: Path, *, device: str) -> Pipeline:
    """Load segmentation-3.0 (`pytorch_model.bin`) and CAM++ (`campplus_cn_en_common.pt`)."""
    network = CamPlusPlus.load(embedding, device=device)
    pipeline = _Bundled(load_segmentation(segmentation), network, device=device)
    pipeline.to(torch.device(device))
    found = {
        "method": "centroid",
        "threshold": CLUSTERING_THRESHOLD,
        "min_cluster_size": MIN_CLUSTER_SIZE,
    }
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": found})
    bounded(pipeline)
    return pipeline


def load_segmentation(path: Path) -> PyanNet:
    """Load the network without running what a pickle may hold, as pyannote's loader would."""
    ours = [Specifications, Problem, Resolution, torch.torch_version.TorchVersion]
    with torch.serialization.safe_globals(ours):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    network = PyanNet(**checkpoint["hyper_parameters"])
    network.specifications = checkpoint["pyannote.audio"]["specifications"]
    network.build()  # its last layer, which depends on the specifications
    network.load_state_dict(checkpoint["state_dict"])
    return network.eval()


class _Voiceprint(Model):  # type: ignore[misc]  # pyannote has no types
    """Tell pyannote how long an embedding is; `_Bundled.get_embeddings` computes them."""

    dimension = campplus.DIMENSION


class _Bundled(SpeakerDiarization):  # type: ignore[misc]  # pyannote has no types
    """Pyannote's diarization with the embeddings of CAM++.

    Every voice of every window is heard on its own, from the frames in which it is active. To hear
    each stretch of sound once, and pool over the active frames afterwards, takes a tenth of the
    time, but one speaker then leaks into the other's frames through the network's context: equal
    on three real recordings (17.5 % DER), 1 to 9 points worse on turns of one to five seconds
    spliced together from two to six voices.
    """

    def __init__(self, segmentation: PyanNet, network: CamPlusPlus, *, device: str) -> None:
        super().__init__(
            segmentation=segmentation,
            segmentation_step=STEP,
            segmentation_batch_size=SEGMENTATION_BATCH[device],
            embedding=_Voiceprint(),
            embedding_batch_size=EMBEDDING_BATCH[device],
            clustering="AgglomerativeClustering",
            # Fetched from the hub otherwise, although this clustering has no use for it.
            plda=PLDA.__new__(PLDA),
        )
        self.network = network
        self.network_device = device

    def get_embeddings(
        self,
        file: dict[str, Any],
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,  # noqa: FBT001, FBT002 - pyannote's signature
        hook: Hook | None = None,
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Describe every voice of every window; pyannote calls this.

        Returns:
            shape (n_windows, n_voices, DIMENSION); NaN for a voice that is hardly heard.
        """
        n_windows, _, n_voices = binary_segmentations.data.shape
        result = np.full((n_windows, n_voices, campplus.DIMENSION), np.nan, dtype=np.float32)
        sound, repeated_to = file["waveform"][0], REPEATED_TO[self.network_device]
        for first in range(0, n_windows, _WINDOWS_AT_ONCE):
            last = min(first + _WINDOWS_AT_ONCE, n_windows)
            windows = range(first, last)
            voices = list(_voices(sound, binary_segmentations, windows, repeated_to=repeated_to))
            heard = 0
            for batch in _batches(voices, self.embedding_batch_size):
                bands = torch.stack([voice.bands for voice in batch]).to(self.network_device)
                embeddings = self.network.embed(bands).cpu().numpy()
                for voice, embedding in zip(batch, embeddings, strict=True):
                    result[voice.window, voice.number] = embedding
                heard += len(batch)
                if hook is not None:
                    done = first + (last - first) * heard / len(voices)
                    hook("embeddings", None, total=n_windows, completed=done)
        return result


def _voices(
    waveform: torch.Tensor,
    segmentation: SlidingWindowFeature,
    windows: range,
    *,
    repeated_to: int,
) -> Iterator[_Voice]:
    """Cut out what each voice says in each of some neighbouring windows."""
    frame = segmentation.sliding_window
    start = round(windows.start * frame.step * SAMPLE_RATE)
    end = round(((windows.stop - 1) * frame.step + frame.duration) * SAMPLE_RATE)
    sound = waveform[start:end]
    # The last window runs past the media's end. One more frame, so that every window has all its.
    room = end - start + campplus.WINDOW_SAMPLES - len(sound)
    bands = campplus.fbank(torch.nn.functional.pad(sound, (0, room)))
    n_bands = round(frame.duration * campplus.FBANK_HZ)
    for window in windows:
        first = round((window - windows.start) * frame.step * campplus.FBANK_HZ)
        there = bands[first : first + n_bands]
        masks = np.nan_to_num(segmentation.data[window], nan=0.0)
        nearest = np.arange(len(there)) * len(masks) // len(there)
        for number, active in enumerate(masks[nearest].T > 0.5):
            if active.sum() >= _MIN_VOICE_FRAMES:
                said = there[torch.from_numpy(active)]
                said = _repeated(said - said.mean(dim=0), multiple=repeated_to)
                yield _Voice(window, number, said)


def _repeated(bands: torch.Tensor, *, multiple: int) -> torch.Tensor:
    """Start over where a voice ends, up to a multiple of so many frames."""
    n_frames = -(-len(bands) // multiple) * multiple
    return bands[torch.arange(n_frames) % len(bands)]


def _batches(voices: list[_Voice], size: int) -> Iterator[list[_Voice]]:
    """Put together what has the same length, so that nothing is padded."""
    by_length = sorted(voices, key=lambda voice: len(voice.bands))
    for _, same in itertools.groupby(by_length, key=lambda voice: len(voice.bands)):
        alike = list(same)
        for first in range(0, len(alike), size):
            yield alike[first : first + size]
