"""Hear real speech with real Whisper models, without the service around them."""

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jobs.options import TranscriptionOptions
from pipeline.progress import OnProgress, unheard
from pipeline.pull import locate
from pipeline.recognizing import Recognition, Request
from pipeline.settings import PipelineSettings
from pipeline.speech import HeardWindow, Span
from pipeline.transcribing import transcribe
from pipeline.voice_activity import find_speech
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import WhisperRecognizer, load_whisper
from pipeline.windows import windows_of


def load_recognizer(name: str) -> WhisperRecognizer:
    """Load a Whisper model from the cache, or fetch it."""
    return load_whisper(locate(name, PipelineSettings()), name=name, cpu_threads=2)


def decoded(path: Path) -> Waveform:
    from faster_whisper.audio import decode_audio

    waveform: Waveform = decode_audio(str(path), sampling_rate=SAMPLE_RATE)
    return waveform


def call_waveform() -> Waveform:
    """Decode the phone call that pyannote carries."""
    return decoded(Path(str(files("pyannote").joinpath("audio/sample/sample.wav"))))


def call_lines() -> list[tuple[float, float, str]]:
    """Return start, end (seconds) and text of each line that is said in the phone call."""
    text = files("pyannote").joinpath("audio/sample/sample.stm").read_text()
    lines = [line.split(maxsplit=5) for line in text.splitlines()]
    return [(float(line[3]), float(line[4]), line[5]) for line in lines]


def heard_in(
    waveform: Waveform,
    recognizer: WhisperRecognizer,
    options: TranscriptionOptions | None = None,
    *,
    language: str = "en",
    with_times: bool = False,
    spans: tuple[Span, ...] | None = None,
    on_progress: OnProgress = unheard,
) -> list[HeardWindow]:
    """Transcribe what voice activity detection, or `spans`, takes for speech."""
    return transcribe(
        [waveform],
        windows_of(
            find_speech(waveform) if spans is None else spans,
            media_seconds=len(waveform) / SAMPLE_RATE,
        ),
        recognizer,
        options or TranscriptionOptions(),
        language,
        batch_size=2,
        with_times=with_times,
        on_progress=on_progress,
    )


def recognized(recognizer: WhisperRecognizer, requests: Sequence[Request]) -> list[Recognition]:
    """Recognise windows in one batch; one recognition for each, in their order."""
    with recognizer.recognizing(batch_size=len(requests)) as recognizing:
        found = list(recognizing.recognitions([requests]))
    return [recognition for _, recognition in sorted(found, key=lambda each: each[0].index)]


def text_of(heard: list[HeardWindow]) -> str:
    """All words, as they were heard."""
    return "".join(word for window in heard for word in window.words)


def plain(text: str) -> str:
    """Text without case and punctuation, to be compared."""
    return " ".join(re.sub(r"[^\w' ]", " ", text.lower()).split())
