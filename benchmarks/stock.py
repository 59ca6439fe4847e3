"""WhisperX as it comes, with the weights that can be had without a token.

What is its own: every call, in the order of its command line; batches of 8, beams of 5, windows of
30 s and 4 threads of Whisper, its defaults; its pyannote voice activity detection; its alignment;
pyannote's `SpeakerDiarization` with the batches of 32 and the clean frames of the published
pipelines (`pyannote/speaker-diarization-3.1` and `-community-1`, which WhisperX fetches).
`--compute_type int8` is what its README says for CPUs; its default there, float32, is slower.

What is not, because a token or a hub must give it:

* The diarizer's networks are those bundled here, segmentation-3.0 and CAM++, and the clustering has
  the threshold and the cluster size that fit CAM++. WeSpeaker's ResNet34, which WhisperX would
  fetch, hears a whole window of 10 s for each voice; CAM++ here gets what the mask leaves of it.
* Without the real weights in the cache, its aligner has the right architecture with random ones: as
  fast as the real one, right about nothing.
* NLTK's sentence splitter is a download; what stands in for it takes no time.
* Its threads wait passively, as this pipeline's do. By default they spin, which on a machine that
  does anything else costs it several times as much.
* It decodes with the `ffmpeg` program, which may not be there: decoding is left out of its times.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.hypothesis import Hypothesis
from benchmarks.scoring import SpeakerTurn, TimedWord
from benchmarks.stopwatch import Seconds, Stopwatch
from pipeline.cache_dir import cached
from pipeline.pull import locate
from pipeline.settings import PipelineSettings
from pipeline.telemetry import phone_nobody
from pipeline.threads import wait_passively
from pipeline.waveform import SAMPLE_RATE, Waveform

BATCH_SIZE = 8  # windows; `whisperx --batch_size`
COMPUTE_TYPE = "int8"  # its README: "To run on CPU …, --compute_type int8"
CHUNK_SECONDS = 30  # `whisperx --chunk_size`
ONSET, OFFSET = 0.500, 0.363  # `whisperx --vad_onset --vad_offset`
DIARIZER_BATCH_SIZE = 32  # windows, voices; as the published pipelines say
# Distance of unit vectors, and voices: of CAM++. The published 0.7046 and 12 are WeSpeaker's.
CLUSTERING_THRESHOLD, MIN_CLUSTER_SIZE = 0.7, 6
_MIN_VOICE_FRAMES = 10  # mel frames; less says nothing of a voice


class Stock:
    """WhisperX's own calls, in the order of its command line."""

    def __init__(self, settings: PipelineSettings, model: str, aligner: Path) -> None:
        """Load its models.

        Args:
            settings: of the pipeline that it is held against: where models are.
            model: of Whisper.
            aligner: the folder of its English wav2vec2.
        """
        phone_nobody()
        wait_passively()  # not as it comes: else whatever runs besides would weigh on it alone
        import whisperx
        import whisperx.alignment
        import whisperx.diarize

        self._whisperx = whisperx
        self._whisper = whisperx.load_model(
            str(locate(model, settings)), "cpu", compute_type=COMPUTE_TYPE
        )
        whisperx.alignment.nltk_load = lambda _: _WholeText()
        self._aligner, self._metadata = whisperx.load_align_model(
            "en", "cpu", model_dir=str(aligner), model_cache_only=True
        )
        self._diarizer = whisperx.diarize.DiarizationPipeline.__new__(
            whisperx.diarize.DiarizationPipeline
        )
        self._diarizer.model = stock_diarizer(settings)

    def hear(self, media: Path) -> Hypothesis:
        """Do what `whisperx --diarize` does with a file that is decoded already."""
        waveform = _decoded(media)
        began = time.perf_counter()
        heard = self._whisper.transcribe(waveform, batch_size=BATCH_SIZE)
        aligned = self._align(heard, waveform)
        turns = self._diarizer(waveform)
        self._whisperx.assign_word_speakers(turns, aligned)
        seconds = time.perf_counter() - began
        return Hypothesis(
            text=" ".join(segment["text"].strip() for segment in heard["segments"]),
            words=tuple(
                TimedWord(word=word["word"], start=word["start"], end=word["end"])
                for word in aligned["word_segments"]
                if "start" in word and "end" in word
            ),
            turns=tuple(
                SpeakerTurn(start=row.start, end=row.end, speaker=row.speaker)
                for row in turns.itertuples()
            ),
            seconds=seconds,
        )

    def stages(self, media: Path) -> Seconds:
        """Return how long each stage takes."""
        waveform = _decoded(media)
        watch = Stopwatch()
        with watch.time("voice activity"):
            self._find_speech(waveform)
        with watch.time("text"):
            heard = self._whisper.transcribe(waveform, batch_size=BATCH_SIZE)
        # One call does both; what its voice activity detection takes is counted above.
        watch.seconds["text"] -= watch.seconds["voice activity"]
        with watch.time("alignment"):
            self._align(heard, waveform)
        with watch.time("speakers"):
            self._diarizer(waveform)
        return watch.seconds

    def _find_speech(self, waveform: Waveform) -> None:
        """Run its default voice activity detection, as its `transcribe` does."""
        vad = self._whisper.vad_model
        sound = vad.preprocess_audio(waveform)
        found = vad({"waveform": sound, "sample_rate": SAMPLE_RATE})
        vad.merge_chunks(found, CHUNK_SECONDS, onset=ONSET, offset=OFFSET)

    def _align(self, heard: dict[str, Any], waveform: Waveform) -> dict[str, Any]:
        aligned: dict[str, Any] = self._whisperx.align(
            heard["segments"], self._aligner, self._metadata, waveform, "cpu"
        )
        return aligned


class _WholeText:
    """Stands where NLTK's downloaded sentence splitter would."""

    def span_tokenize(self, text: str) -> Iterator[tuple[int, int]]:
        yield 0, len(text)


def _decoded(media: Path) -> Waveform:
    from faster_whisper.audio import decode_audio

    waveform: Waveform = decode_audio(str(media), sampling_rate=SAMPLE_RATE)
    return waveform


def stock_diarizer(settings: PipelineSettings) -> Any:
    """Return the pyannote pipeline that WhisperX fetches, or one of the networks bundled here."""
    from pyannote.audio import Pipeline

    community = cached("community-1", settings)
    return _bundled(settings) if community is None else Pipeline.from_pretrained(community)


def _bundled(settings: PipelineSettings) -> Any:
    """Build pyannote's SpeakerDiarization with nothing of ours but the weights."""
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    from pipeline import campplus
    from pipeline.bundled_diarizer import load_segmentation

    network = campplus.CamPlusPlus.load(
        locate("campplus", settings) / "campplus_cn_en_common.pt", device="cpu"
    )

    class Voiceprint(Model):  # type: ignore[misc]  # pyannote has no types
        """CAM++ on the frames that pyannote's mask leaves, one voice at a time."""

        dimension = campplus.DIMENSION

        def forward(
            self, waveforms: torch.Tensor, weights: torch.Tensor | None = None
        ) -> torch.Tensor:
            if weights is None:  # pyannote finds out how little sound is enough
                weights = torch.ones(len(waveforms), 1)
            embeddings = []
            for waveform, weight in zip(waveforms, weights, strict=True):
                bands = campplus.fbank(waveform[0])
                mask = torch.nn.functional.interpolate(weight[None, None], len(bands))[0, 0] > 0.5
                voice = bands[mask] if mask.sum() >= _MIN_VOICE_FRAMES else bands
                embeddings.append(network.embed((voice - voice.mean(dim=0))[None])[0])
            return torch.stack(embeddings)

    pipeline = SpeakerDiarization(
        segmentation=load_segmentation(locate("segmentation-3.0", settings) / "pytorch_model.bin"),
        segmentation_batch_size=DIARIZER_BATCH_SIZE,
        embedding=Voiceprint(),
        embedding_batch_size=DIARIZER_BATCH_SIZE,
        embedding_exclude_overlap=True,
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
