"""Build the diarization pipeline that needs no token: segmentation-3.0 and CAM++.

Only imported inside functions (by `diarizing`): importing pyannote takes seconds.
"""

import math
from collections.abc import Callable
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
from pyannote.core import SlidingWindow, SlidingWindowFeature  # noqa: TID253 - see above

from pipeline import campplus
from pipeline.bounded_diarization import bounded
from pipeline.campplus import CamPlusPlus
from pipeline.voice_reuse import Flags, Floats, find_sources
from pipeline.voices import batches, cut_out

STEP = 0.1  # of the 10 s window; 0.25 saves half the time and costs 1.1 points of DER
CLUSTERING_THRESHOLD = 0.7  # distance of unit vectors; for CAM++, other embeddings need another
MIN_CLUSTER_SIZE = 6  # voices; smaller clusters join their nearest
SEGMENTATION_BATCH = {"cpu": 16, "cuda": 32}  # windows; on the CPU 4 take twice the time
EMBEDDING_BATCH = {"cpu": 1, "cuda": 64}  # voices
_WINDOWS_AT_ONCE = 50  # whose mel bands are held: a minute of sound
# Windows. Mean error on four references / on sixteen splices that no other choice was made by, if
# all are heard: 22.0 / 32.1 %; for 2: 22.0 / 32.1, for 3: 22.0 / 32.4, and one splice 11 points up.
HEARD_EVERY = 2
AGREEMENT = 0.75  # chosen on twelve other splices, for every third window
MIN_VOICE_SECONDS = 0.1  # less says nothing of a voice
# Mel frames; voices are repeated up to a multiple of it, so that several fit in one batch. On the
# CPU a batch is no faster than its voices one by one, and 1 leaves each voice as it is.
REPEATED_TO = {"cpu": 1, "cuda": 100}

Hook = Callable[..., None]


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

    A voice is heard on its own, from the frames in which it is active. To hear each stretch of
    sound once, and pool over the active frames afterwards, takes a tenth of the time, but one
    speaker then leaks into the other's frames through the network's context: equal on three real
    recordings (17.5 % DER), 1 to 9 points worse on turns of one to five seconds spliced together
    from two to six voices.

    Of windows that overlap by nine tenths one in HEARD_EVERY is heard. `voice_reuse` describes the
    voices in between, so that there are as many to cluster as if all were heard: six tenths of the
    time, the same errors on recordings and in the mean of splices, of which single ones go either
    way.
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
        windows = binary_segmentations.sliding_window
        masks = np.nan_to_num(binary_segmentations.data, nan=0.0) > 0.5
        frames_a_second = masks.shape[1] / windows.duration
        sources = find_sources(
            masks,
            step_frames=windows.step * frames_a_second,
            every=HEARD_EVERY,
            agreement=AGREEMENT,
            least_frames=math.ceil(MIN_VOICE_SECONDS * frames_a_second),
        )
        masks &= sources.heard[:, None]
        return sources.describe(self._heard(file["waveform"][0], masks, windows, hook))

    def _heard(
        self,
        sound: torch.Tensor,
        masks: Flags,
        windows: SlidingWindow,
        hook: Hook | None,
    ) -> Floats:
        """Hear voices in the moments in which they talk."""
        n_windows, _, n_voices = masks.shape
        result = np.full((n_windows, n_voices, campplus.DIMENSION), np.nan, dtype=np.float32)
        for first in range(0, n_windows, _WINDOWS_AT_ONCE):
            last = min(first + _WINDOWS_AT_ONCE, n_windows)
            voices = list(
                cut_out(
                    sound,
                    masks,
                    windows,
                    range(first, last),
                    repeated_to=REPEATED_TO[self.network_device],
                )
            )
            heard = 0
            for batch in batches(voices, self.embedding_batch_size):
                bands = torch.stack([voice.bands for voice in batch]).to(self.network_device)
                embeddings = self.network.embed(bands).cpu().numpy()
                for voice, embedding in zip(batch, embeddings, strict=True):
                    result[voice.window, voice.number] = embedding
                heard += len(batch)
                if hook is not None:
                    done = first + (last - first) * heard / len(voices)
                    hook("embeddings", None, total=n_windows, completed=done)
        return result
