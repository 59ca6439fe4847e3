"""Where somebody speaks, and in which language, on real recordings."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.language_detection import detect_language
from pipeline.speech import Span
from pipeline.voice_activity import find_speech, speech_probabilities
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper import WhisperRecognizer
from pipeline.windows import windows_of
from tests.end_to_end.speech_heard import call_waveform, decoded, load_recognizer

AUDIO = Path(__file__).parents[2] / "../shared/audio"
needs_audio = pytest.mark.skipif(not AUDIO.is_dir(), reason="../shared/audio is not here")


@pytest.fixture(scope="module")
def english() -> WhisperRecognizer:
    return load_recognizer("tiny.en")


@pytest.fixture(scope="module")
def multilingual() -> WhisperRecognizer:
    return load_recognizer("base")


@pytest.fixture(scope="module")
def call() -> Waveform:
    return call_waveform()


@needs_audio
@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("css10/de_achtgesichterambiwasse_0044.flac", "de"),
        ("zh/aishell-BAC009S0724W0121.wav", "zh"),
        ("mfa/common_voice_ja_24511055.mp3", "ja"),
        ("jfk/jfk.mp3", "en"),
    ],
)
def test_the_language_is_detected_on_speech_behind_silence(
    name: str, language: str, multilingual: WhisperRecognizer
) -> None:
    silence = np.zeros(31 * SAMPLE_RATE, dtype=np.float32)
    waveform = np.concatenate([silence, decoded(AUDIO / name)])
    windows = windows_of(find_speech(waveform), media_seconds=len(waveform) / SAMPLE_RATE)

    detected = detect_language(waveform, windows, multilingual)

    assert detected.code == language
    assert detected.probability is not None
    assert 0.9 < detected.probability <= 1


def test_an_english_model_hears_english(call: Waveform, english: WhisperRecognizer) -> None:
    windows = windows_of(find_speech(call), media_seconds=30.0)

    assert detect_language(call, windows, english).code == "en"


def test_blocks_leave_no_seam_in_voice_activity(call: Waveform) -> None:
    from faster_whisper.vad import get_vad_model

    waveform = np.clip(np.tile(call, 10) * 2, -1, 1)  # 300 s: three blocks, none of them quiet
    padded = np.pad(waveform, (0, -len(waveform) % 512))

    whole = np.asarray(get_vad_model()(padded.copy())).reshape(-1)

    # Its last frame is left out: faster-whisper blanks the last 64 samples of what it is given.
    np.testing.assert_allclose(speech_probabilities(waveform)[:-1], whole[:-1], atol=1e-3)


def test_both_voice_activity_models_find_the_same_speech(call: Waveform) -> None:
    silero = find_speech(call)
    pyannote = find_speech(call, method="pyannote")

    def speaks(spans: tuple[Span, ...], time: float) -> bool:
        return any(span.start <= time < span.end for span in spans)

    times = np.arange(0, 30, 0.01)
    assert np.mean([speaks(silero, time) == speaks(pyannote, time) for time in times]) > 0.9
