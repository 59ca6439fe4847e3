"""Align with networks of the real architectures and random weights; the real ones need a hub.

What is compared is what does not depend on the weights: that a batch hears what single windows
hear, and that words get the times that WhisperX gives them.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from jobs.errors import ModelUnavailable
from jobs.stages import Stage
from pipeline.aligner_models import Aligner, load_aligner
from pipeline.aligning import LANGUAGES_WITHOUT_SPACES, align
from pipeline.catalog import catalog
from pipeline.speech import HeardWindow, Span, Window, WordTime

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a dozen libraries that WhisperX imports, not ours
    torch = pytest.importorskip("torch")
    import torchaudio
    from safetensors.torch import load_file, save_file
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC
    from whisperx import alignment as whisperx_alignment

SAMPLE_RATE = 16_000
FRAME_SECONDS = 0.02
SENTENCE = "Well, on the 3rd of May we paid 25 euros - that's far too much, isn't it?"
# Base has group normalisation, large has layer normalisation and is "stable".
SMALL: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 32,
    "pad_token_id": 0,
}
KINDS: dict[str, dict[str, Any]] = {
    "base": {"feat_extract_norm": "group"},
    "large": {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True},
}
VOCABULARY = {
    label: column
    for column, label in enumerate(
        ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
    )
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)


@pytest.fixture(params=sorted(KINDS))
def hugging_face_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    config = Wav2Vec2Config(**SMALL, **KINDS[request.param])  # type: ignore[no-untyped-call] # transformers annotates its __init__ in part
    model = Wav2Vec2ForCTC(config)
    _raise_contrast(model.lm_head)
    model.save_pretrained(folder)
    (tmp_path / "vocab.json").write_text(json.dumps(VOCABULARY))
    tokenizer = Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"))  # type: ignore[no-untyped-call] # as above
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def torchaudio_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of WhisperX's English model, as large as it is, with random weights."""
    torch.manual_seed(0)
    bundle = torchaudio.pipelines.WAV2VEC2_ASR_BASE_960H
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torchaudio.models.wav2vec2_model(**bundle._params)
    _raise_contrast(model.aux)
    weights = model.state_dict()
    # The published file has rows for labels of fairseq's that nothing was trained for.
    for name in ("aux.weight", "aux.bias"):
        rows = list(weights[name])
        for row in bundle._remove_aux_axis:
            rows.insert(row, torch.full_like(rows[0], 1e3))
        weights[name] = torch.stack(rows)
    folder = tmp_path_factory.mktemp("aligner-en")
    torch.save(weights, folder / bundle._path)
    return folder


def _raise_contrast(head: Any) -> None:
    """Let random weights have opinions: near ties would be decided by rounding."""
    with torch.no_grad():
        head.weight.mul_(30)


def noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    samples = np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * SAMPLE_RATE))
    return samples.astype(np.float32)


def heard(start: float, end: float, text: str, language: str = "en") -> HeardWindow:
    return HeardWindow(
        window=Window(start=start, end=end, spans=(Span(start=start, end=end),)),
        language=language,
        words=tuple(f" {word}" for word in text.split(" ")) if text else (),
        avg_logprob=-0.2,
        no_speech_prob=0.01,
        compression_ratio=1.5,
        temperature=0.0,
    )


def numbers(times: Any) -> npt.NDArray[np.float64]:
    return np.array([(time.start, time.end, time.score) for time in times])


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


class MadeUp:
    """A network that hears what it is told, for any sound; one frame each 320 samples."""

    def __init__(self, emissions: npt.NDArray[np.float32]) -> None:
        self.emissions = torch.from_numpy(emissions)

    def features(self, samples: Any) -> Any:
        return self.emissions

    def logits(self, features: Any, n_frames: Any) -> Any:
        return features

    def __call__(self, waveform: Any, lengths: Any = None) -> Any:
        return self.emissions.unsqueeze(0), None


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


@pytest.mark.parametrize("batch_size", [2, 3, 16])
def test_a_batch_hears_what_single_windows_hear(hugging_face_folder: Path, batch_size: int) -> None:
    aligner = load_aligner("nl", hugging_face_folder, device="cpu")
    windows = [heard(start, start + 0.5 + start, "een twee drie", "nl") for start in range(4)]

    together = align(noise(20), windows, aligner, batch_size=batch_size)

    alone = [align(noise(20), [window], aligner, batch_size=1)[0] for window in windows]
    for one, other in zip(together, alone, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), abs=1e-4)


def test_padded_hugging_face_logits_equal_those_of_the_whole_network(
    hugging_face_folder: Path,
) -> None:
    network: Any = load_aligner("nl", hugging_face_folder, device="cpu").network

    _assert_same_logits(network, lambda sound: network.model(sound).logits[0])


def test_padded_torchaudio_logits_equal_those_of_the_whole_network(torchaudio_folder: Path) -> None:
    network: Any = load_aligner("en", torchaudio_folder, device="cpu").network

    _assert_same_logits(network, lambda sound: network.model(sound)[0][0])


def _assert_same_logits(network: Any, whole_network: Callable[[Any], Any]) -> None:
    sounds = [torch.from_numpy(noise(seconds, seed=3)) for seconds in (0.7, 1.6)]
    with torch.inference_mode():
        features = [network.features(sound) for sound in sounds]
        lengths = torch.tensor([len(frames) for frames in features])
        padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
        logits = network.logits(padded, lengths)
        for sound, logit, length in zip(sounds, logits, lengths, strict=True):
            whole = whole_network(sound.unsqueeze(0))
            torch.testing.assert_close(logit[:length], whole, rtol=1e-3, atol=2e-3)


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


def test_a_language_without_an_aligner_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="'sw'"):
        load_aligner("sw", tmp_path, device="cpu")


@pytest.mark.parametrize("language", ["en", "nl"])
def test_missing_weights_are_said(language: str, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=f"aligner-{language}"):
        load_aligner(language, tmp_path / "nowhere", device="cpu")
    with pytest.raises(ModelUnavailable, match=f"aligner-{language}"):
        load_aligner(language, tmp_path, device="cpu")


@pytest.mark.parametrize("broken", [b"", b"not weights", b"PK\x03\x04torn"])
def test_broken_weights_are_said(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "wav2vec2_fairseq_base_ls960_asr_ls960.pth").write_bytes(broken)

    with pytest.raises(ModelUnavailable, match="aligner-en"):
        load_aligner("en", tmp_path, device="cpu")


@pytest.mark.parametrize("broken", [b"", b"not weights", b"\x08\0\0\0\0\0\0\0{}      "])
def test_broken_safetensors_are_said(broken: bytes, hugging_face_folder: Path) -> None:
    (hugging_face_folder / "model.safetensors").write_bytes(broken)

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")


def test_weights_that_lack_a_tensor_are_said(hugging_face_folder: Path) -> None:
    tensors = load_file(hugging_face_folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, hugging_face_folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")


def test_the_names_that_older_weights_have_are_understood(hugging_face_folder: Path) -> None:
    today = load_aligner("nl", hugging_face_folder, device="cpu")
    tensors = load_file(hugging_face_folder / "model.safetensors")
    old_names = {"parametrizations.weight.original0": "weight_g"}
    old_names["parametrizations.weight.original1"] = "weight_v"
    for new, old_name in old_names.items():
        name = f"wav2vec2.encoder.pos_conv_embed.conv.{new}"
        tensors[name.replace(new, old_name)] = tensors.pop(name)
    del tensors["wav2vec2.masked_spec_embed"]
    (hugging_face_folder / "model.safetensors").unlink()
    torch.save(tensors, hugging_face_folder / "pytorch_model.bin")

    old = load_aligner("nl", hugging_face_folder, device="cpu")

    windows = [heard(0.0, 1.0, "een twee", "nl")]
    assert align(noise(1), windows, old, batch_size=1) == align(
        noise(1), windows, today, batch_size=1
    )


def test_weights_of_another_shape_are_said(hugging_face_folder: Path) -> None:
    config = json.loads((hugging_face_folder / "config.json").read_text())
    (hugging_face_folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))

    with pytest.raises(ModelUnavailable, match="aligner-nl"):
        load_aligner("nl", hugging_face_folder, device="cpu")


@pytest.fixture
def made_up() -> Aligner:
    emissions = np.random.default_rng(0).normal(size=(49, 29)).astype(np.float32)
    labels = {label: column for column, label in enumerate("-|abcdefghijklmnopqrstuvwxyz'")}
    return Aligner(
        name="made up",
        language="en",
        labels=labels,
        blank=0,
        network=MadeUp(emissions),
        device="cpu",
    )


def test_what_cannot_be_placed_is_none_and_never_dropped(made_up: Aligner) -> None:
    windows = [
        heard(0.0, 1.0, "fine"),
        heard(0.0, 1.0, "viel zu deutsch", "de"),
        heard(0.0, 1.0, "x" * 50),
        heard(30.0, 31.0, "beyond the end"),
        heard(0.0, 1.0, ""),
        heard(0.0, 1.0, "  "),
    ]

    times = align(noise(2), windows, made_up, batch_size=1)

    assert [len(of) for of in times] == [len(window.words) for window in windows]
    assert isinstance(times[0][0], WordTime)
    assert not any(time for of in times[1:] for time in of)


def test_nothing_heard_is_nothing_aligned(made_up: Aligner) -> None:
    told: list[float] = []

    assert align(noise(2), [], made_up, batch_size=4, on_progress=lambda _, f: told.append(f)) == []
    assert told == [1.0]


def test_progress_rises_to_one(made_up: Aligner) -> None:
    told: list[tuple[Stage, float]] = []
    windows = [heard(start, start + 1.0, "yes") for start in range(7)]

    align(
        noise(10),
        windows,
        made_up,
        batch_size=2,
        on_progress=lambda stage, f: told.append((stage, f)),
    )

    fractions = [fraction for _, fraction in told]
    assert {stage for stage, _ in told} == {Stage.ALIGN}
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(set(fractions)) == 2 * len(windows)  # heard, then placed


def test_what_on_progress_raises_ends_the_run(made_up: Aligner) -> None:
    class Canceled(Exception):
        pass

    def cancel(stage: Stage, fraction: float) -> None:
        raise Canceled

    with pytest.raises(Canceled):
        align(noise(2), [heard(0.0, 1.0, "no")], made_up, batch_size=1, on_progress=cancel)


def test_a_read_only_map_of_a_file_is_taken_as_it_is(
    hugging_face_folder: Path, tmp_path: Path
) -> None:
    aligner = load_aligner("nl", hugging_face_folder, device="cpu")
    noise(3).tofile(tmp_path / "waveform")
    mapped = np.memmap(tmp_path / "waveform", dtype=np.float32, mode="r")

    (times,) = align(mapped, [heard(0.5, 2.5, "een twee", "nl")], aligner, batch_size=1)

    (same,) = align(noise(3), [heard(0.5, 2.5, "een twee", "nl")], aligner, batch_size=1)
    assert times == same
