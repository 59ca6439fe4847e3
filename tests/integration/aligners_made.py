"""Make aligners: of the real architectures with random weights, or hearing what they are told."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.speech import HeardWindow, Span, Window

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a dozen libraries that WhisperX imports, not ours
    torch = pytest.importorskip("torch")
    import torchaudio
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

SAMPLE_RATE = 16_000
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


def seed_torch() -> None:
    """Make random weights the same each time."""
    torch.manual_seed(0)
    torch.set_num_threads(2)


def hugging_face_weights(folder: Path, kind: str) -> Path:
    """Write an aligner of one of KINDS, with random weights, into a folder inside this one."""
    weights = folder / "weights"
    config = Wav2Vec2Config(**SMALL, **KINDS[kind])  # type: ignore[no-untyped-call] # transformers annotates its __init__ in part
    model = Wav2Vec2ForCTC(config)
    _raise_contrast(model.lm_head)
    model.save_pretrained(weights)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))  # type: ignore[no-untyped-call] # as above
    tokenizer.save_pretrained(weights)
    return weights


def torchaudio_weights(folder: Path) -> Path:
    """Write the file of WhisperX's English model, as large as it is, with random weights."""
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
    torch.save(weights, folder / bundle._path)
    return folder


def _raise_contrast(head: Any) -> None:
    """Let random weights have opinions: near ties would be decided by rounding."""
    with torch.no_grad():
        head.weight.mul_(30)


def noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """As many seconds of it, the same for one seed."""
    samples = np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * SAMPLE_RATE))
    return samples.astype(np.float32)


def heard(start: float, end: float, text: str, language: str = "en") -> HeardWindow:
    """A window of words; `start` and `end` in seconds."""
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
    """Start, end and score of each word, as rows."""
    return np.array([(time.start, time.end, time.score) for time in times])


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
