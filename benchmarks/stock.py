"""WhisperX and pyannote as they come, with the weights that can be had without a token."""

from collections.abc import Iterator
from typing import Any

from pipeline.device import choose_device
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.waveform import Waveform


class Stock:
    """WhisperX's own calls, in the order of its command line."""

    def __init__(self, settings: PipelineSettings) -> None:
        import torch
        import torchaudio
        import whisperx

        device = choose_device(settings)
        self._whisperx = whisperx
        self._batch_size = device.batch_size
        self._pipeline = whisperx.load_model(
            str(locate(device.default_model, settings)), "cpu", compute_type=device.compute_type
        )
        torch.manual_seed(0)
        bundle = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
        self._aligner = torchaudio.models.wav2vec2_model(**bundle._params).eval()
        self._labels = {label.lower(): n for n, label in enumerate(bundle.get_labels())}
        self._diarizer = stock_diarizer(settings)

    def find_speech(self, waveform: Waveform) -> None:
        """Run WhisperX's default voice activity detection."""
        vad = self._pipeline.vad_model
        sound = vad.preprocess_audio(waveform)
        segments = vad({"waveform": sound, "sample_rate": 16_000})
        vad.merge_chunks(segments, 30, onset=0.500, offset=0.363)

    def transcribe(self, waveform: Waveform) -> dict[str, Any]:
        """Return WhisperX's result, its voice activity detection included."""
        heard: dict[str, Any] = self._pipeline.transcribe(waveform, batch_size=self._batch_size)
        return heard

    def align(self, heard: dict[str, Any], waveform: Waveform) -> None:
        """Align with WhisperX's own search; only its sentence splitter, a download, is replaced."""
        import whisperx.alignment

        whisperx.alignment.nltk_load = lambda _: _WholeText()
        metadata = {"language": "en", "dictionary": self._labels, "type": "torchaudio"}
        self._whisperx.align(heard["segments"], self._aligner, metadata, waveform, "cpu")

    def diarize(self, waveform: Waveform) -> None:
        """Run pyannote's diarization with its own defaults."""
        import torch

        self._diarizer({"waveform": torch.from_numpy(waveform)[None], "sample_rate": 16_000})


class _WholeText:
    """Stands where NLTK's downloaded sentence splitter would."""

    def span_tokenize(self, text: str) -> Iterator[tuple[int, int]]:
        yield 0, len(text)


def stock_diarizer(settings: PipelineSettings) -> Any:
    """Build pyannote's SpeakerDiarization with nothing of ours but the weights."""
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    from pipeline import campplus
    from pipeline.bundled_diarizer import CLUSTERING_THRESHOLD, MIN_CLUSTER_SIZE, load_segmentation

    network = campplus.CamPlusPlus.load(
        locate("campplus", settings) / "campplus_cn_en_common.pt", device="cpu"
    )

    class Voiceprint(Model):  # type: ignore[misc]  # pyannote has no types
        """CAM++ on the frames that pyannote's mask leaves, one voice at a time."""

        dimension = campplus.DIMENSION

        def forward(self, waveforms: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
            embeddings = []
            for waveform, weight in zip(waveforms, weights, strict=True):
                bands = campplus.fbank(waveform[0])
                mask = torch.nn.functional.interpolate(weight[None, None], len(bands))[0, 0] > 0.5
                voice = bands[mask] if mask.sum() >= 10 else bands
                embeddings.append(network.embed((voice - voice.mean(dim=0))[None])[0])
            return torch.stack(embeddings)

    pipeline = SpeakerDiarization(
        segmentation=load_segmentation(locate("segmentation-3.0", settings) / "pytorch_model.bin"),
        embedding=Voiceprint(),
        clustering="AgglomerativeClustering",
        plda=PLDA.__new__(PLDA),  # fetched from a gated repository otherwise, and not used
    )
    clustering = {
        "method": "centroid",
        "threshold": CLUSTERING_THRESHOLD,
        "min_cluster_size": MIN_CLUSTER_SIZE,
    }
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})
    return pipeline
