"""Align with networks of the real architectures and random weights; the real ones need a hub.

What is compared does not depend on the weights: that words get the times that WhisperX gives them.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.aligner_models import Aligner, load_aligner
from pipeline.aligning import LANGUAGES_WITHOUT_SPACES, align
from pipeline.catalog import catalog
from pipeline.speech import HeardWindow
from tests.integration.aligners_made import (
    KINDS,
    SENTENCE,
    MadeUp,
    heard,
    hugging_face_weights,
    noise,
    numbers,
    seed_torch,
    torchaudio_weights,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a dozen libraries that WhisperX imports, not ours
    import torchaudio
    from transformers import Wav2Vec2ForCTC
    from whisperx import alignment as whisperx_alignment

FRAME_SECONDS = 0.02


@pytest.fixture(autouse=True)
def _seeded() -> None:
    seed_torch()


@pytest.fixture(params=sorted(KINDS))
def hugging_face_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return hugging_face_weights(tmp_path, request.param)


@pytest.fixture(scope="module")
def torchaudio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return torchaudio_weights(tmp_path_factory.mktemp("aligner-en"))


@pytest.fixture
def whisperx_words(monkeypatch: pytest.MonkeyPatch) -> Callable[..., npt.NDArray[np.float64]]:
    """Align one window with WhisperX; only its sentence splitter, a download, is replaced."""

    class WholeText:
        def span_tokenize(self, text: str) -> Iterator[tuple[int, int]]:
            yield 0, len(text)

    monkeypatch.setattr(whisperx_alignment, "nltk_load", lambda _: WholeText())

    def words(
        window: HeardWindow, model: Any, labels: dict[str, int], kind: str, waveform: Any
    ) -> npt.NDArray[np.float64]:
        found = whisperx_alignment.align(
            [
                {
                    "start": window.window.start,
                    "end": window.window.end,
                    "text": "".join(window.words),
                }
            ],
            model,
            {"language": window.language, "dictionary": labels, "type": kind},
            waveform,
            "cpu",
        )
        return np.array([(w["start"], w["end"], w["score"]) for w in found["word_segments"]])

    return words


WINDOWS = [
    heard(0.0, 3.0, SENTENCE),
    heard(3.5, 4.75, "a short one"),
    heard(4.75, 6.75, SENTENCE),
    heard(6.75, 6.76, "x"),
    heard(7.0, 8.25, "ÀÉ 5 € …"),
]


def test_hugging_face_words_get_the_times_that_whisperx_gives_them(
    hugging_face_folder: Path, whisperx_words: Callable[..., npt.NDArray[np.float64]]
) -> None:
    aligner = load_aligner("nl", hugging_face_folder, device="cpu")
    model = Wav2Vec2ForCTC.from_pretrained(hugging_face_folder).eval()
    waveform = noise(9)
    windows = [heard(w.window.start, w.window.end, "".join(w.words).strip(), "nl") for w in WINDOWS]

    ours = align(waveform, windows, aligner, batch_size=4)

    theirs = [
        whisperx_words(w, model, dict(aligner.labels), "huggingface", waveform) for w in windows
    ]
    _assert_same_times(ours, theirs)


def test_torchaudio_words_get_the_times_that_whisperx_gives_them(
    torchaudio_folder: Path, whisperx_words: Callable[..., npt.NDArray[np.float64]]
) -> None:
    aligner = load_aligner("en", torchaudio_folder, device="cpu")
    model, metadata = whisperx_alignment.load_align_model(
        "en", "cpu", model_dir=str(torchaudio_folder), model_cache_only=True
    )
    waveform = noise(9)

    ours = align(waveform, WINDOWS, aligner, batch_size=4)

    assert dict(aligner.labels) == metadata["dictionary"]
    theirs = [
        whisperx_words(window, model, metadata["dictionary"], "torchaudio", waveform)
        for window in WINDOWS
    ]
    _assert_same_times(ours, theirs)


def _assert_same_times(ours: Any, theirs: list[npt.NDArray[np.float64]]) -> None:
    for times, words in zip(ours, theirs, strict=True):
        assert np.abs(numbers(times)[:, :2] - words[:, :2]).max() < FRAME_SECONDS
        assert numbers(times)[:, 2] == pytest.approx(words[:, 2], abs=2e-3)  # theirs is rounded


@pytest.mark.parametrize("contrast", [0.0, 2.0, 10.0])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_words_get_the_times_of_whisperx_on_the_same_emissions(
    contrast: float, language: str, whisperx_words: Callable[..., npt.NDArray[np.float64]]
) -> None:
    random = np.random.default_rng(int(contrast))
    text = SENTENCE if language == "en" else "今天 天气2好, 吗?"
    labels = {
        label.lower(): column for column, label in enumerate(["-", "|", *"etaonihsrdlumwc今天气好"])
    }
    emissions = random.normal(size=(299, len(labels))).astype(np.float32)
    peaks = np.sort(random.choice(299, size=len(text), replace=False))
    emissions[:, 0] += contrast
    for frame, character in zip(peaks, text.lower().replace(" ", "|"), strict=True):
        emissions[frame, 0] -= contrast
        emissions[frame, labels.get(character, 3)] += contrast
    network = MadeUp(emissions)
    window = heard(2.0, 8.0, text, language)
    if language in LANGUAGES_WITHOUT_SPACES:  # WhisperX makes each character a word there
        window = heard(2.0, 8.0, "", language)
        window = HeardWindow(
            **{name: getattr(window, name) for name in window.__slots__ if name != "words"},
            words=tuple(text.replace(" ", "")),
        )

    (times,) = align(
        noise(10),
        [window],
        Aligner(
            name="made up", language=language, labels=labels, blank=0, network=network, device="cpu"
        ),
        batch_size=1,
    )

    theirs = whisperx_words(window, network, labels, "torchaudio", noise(10))
    assert numbers(times)[:, :2] == pytest.approx(theirs[:, :2], abs=1e-3)


def test_every_language_of_whisperx_has_its_model_in_the_catalog() -> None:
    for language, bundle in whisperx_alignment.DEFAULT_ALIGN_MODELS_TORCH.items():
        model = catalog().aligner(language)
        assert model is not None
        assert model.bundle == bundle
        assert model.url is not None
        assert model.url.filename == getattr(torchaudio.pipelines, bundle)._path
    for language, repo in whisperx_alignment.DEFAULT_ALIGN_MODELS_HF.items():
        model = catalog().aligner(language)
        assert model is not None
        assert model.bundle is None
        assert model.hub is not None
        assert model.hub.repo == repo
    assert set(whisperx_alignment.LANGUAGES_WITHOUT_SPACES) == LANGUAGES_WITHOUT_SPACES
