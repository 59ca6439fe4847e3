"""Load the network that hears which characters are said when, for one language.

WhisperX takes wav2vec 2.0 models of two kinds: torchaudio's for five languages, Hugging Face's
for the others. The catalog says which model serves which language.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from jobs.errors import ModelUnavailable
from pipeline.catalog import catalog
from pipeline.memory_faults import is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

_TRAINING_ONLY = {"wav2vec2.masked_spec_embed"}  # published weights often leave it out
_BLANK_NAMES = ("[pad]", "<pad>")  # what Hugging Face's tokenizers call CTC's blank


class Network(Protocol):
    """A wav2vec 2.0 in its two halves, so that windows of different lengths can share a batch.

    The first half hears one window at a time: the group normalisation in the base models runs
    over time, so padding would change what they hear. The second half masks what is padded.
    """

    def features(self, samples: "Tensor") -> "Tensor":
        """Turn samples, shape (n_samples ≥ 400,), into features, shape (n_frames, n_features)."""

    def logits(self, features: "Tensor", n_frames: "Tensor | None") -> "Tensor":
        """Score the labels.

        Args:
            features: shape (batch, frames, n_features), zero where padded.
            n_frames: shape (batch,), int64, how many frames of each are real; None: all are.

        Returns:
            Shape (batch, frames, n_labels), log-probabilities before normalisation.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligner:
    """What `pipeline.aligning` needs to know of a language."""

    name: str  # in the catalog
    language: str  # a Whisper code
    labels: Mapping[str, int]  # lower-case character to its column in the logits
    blank: int  # the column of CTC's blank
    network: Network
    device: str  # where `network` takes its input


def load_aligner(language: str, weights: Path, *, device: str) -> Aligner:
    """Load a language's model from files that are already here; nobody is asked for more.

    Args:
        language: a Whisper code.
        weights: the folder that holds what the catalog lists for this language's aligner.
        device: as torch names it, such as "cpu" or "cuda".

    Raises:
        ModelUnavailable: the catalog has no aligner for this language, or the files are missing,
            broken, or of another model. The caller goes on with Whisper's own word times.
    """
    from safetensors import SafetensorError

    listed = catalog().aligner(language)
    if listed is None:
        msg = f"no alignment model is known for language {language!r}"
        raise ModelUnavailable(msg)
    try:
        if listed.bundle is not None:
            network, labels = _load_torchaudio(listed.bundle, weights)
        else:
            network, labels = _load_hugging_face(weights)
    # What torch, safetensors and transformers raise for a file that is not what it should be;
    # RuntimeError covers both torn zip archives and tensors of another shape.
    except (
        *(OSError, EOFError, ValueError, KeyError, AttributeError),
        *(RuntimeError, UnpicklingError, SafetensorError),
    ) as error:
        if is_out_of_memory(error):
            raise
        msg = f"model {listed.name} in the cache is incomplete or broken: pull it again"
        raise ModelUnavailable(msg) from error
    network.model.to(device)
    return Aligner(
        name=listed.name,
        language=language,
        labels=labels,
        # As WhisperX: the last of these names, and the first column where there is none.
        blank=next((labels[name] for name in reversed(labels) if name in _BLANK_NAMES), 0),
        network=network,
        device=device,
    )


class _TorchaudioNetwork:
    """A `torchaudio.models.Wav2Vec2Model`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def features(self, samples: "Tensor") -> "Tensor":
        features, _ = self.model.feature_extractor(samples.unsqueeze(0), None)
        return features[0]  # type: ignore[no-any-return] # torchaudio is untyped

    def logits(self, features: "Tensor", n_frames: "Tensor | None") -> "Tensor":
        return self.model.aux(self.model.encoder(features, n_frames))  # type: ignore[no-any-return] # as above


class _HuggingFaceNetwork:
    """A `transformers.Wav2Vec2ForCTC`."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def features(self, samples: "Tensor") -> "Tensor":
        features = self.model.wav2vec2.feature_extractor(samples.unsqueeze(0))
        return features[0].T  # type: ignore[no-any-return] # modules of a module are untyped

    def logits(self, features: "Tensor", n_frames: "Tensor | None") -> "Tensor":
        import torch

        real = None
        if n_frames is not None:
            frames = torch.arange(features.shape[1], device=features.device)
            real = frames < n_frames[:, None]
        hidden, _ = self.model.wav2vec2.feature_projection(features)
        heard = self.model.wav2vec2.encoder(hidden, attention_mask=real).last_hidden_state
        return self.model.lm_head(heard)  # type: ignore[no-any-return] # as above


_Loaded: TypeAlias = _TorchaudioNetwork | _HuggingFaceNetwork


def _load_torchaudio(bundle_name: str, weights: Path) -> tuple[_Loaded, dict[str, int]]:
    import torchaudio

    bundle = getattr(torchaudio.pipelines, bundle_name)
    file = _only_file(weights)
    # torchaudio downloads what is not there, so this file is known to exist; `weights_only` keeps
    # a pickle from running code.
    model = bundle.get_model(
        dl_kwargs={
            "model_dir": str(file.parent),
            "file_name": file.name,
            "map_location": "cpu",
            "weights_only": True,
        }
    )
    labels = {label.lower(): column for column, label in enumerate(bundle.get_labels())}
    return _TorchaudioNetwork(model.eval()), labels


def _load_hugging_face(weights: Path) -> tuple[_Loaded, dict[str, int]]:
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    model, found = Wav2Vec2ForCTC.from_pretrained(
        weights, local_files_only=True, output_loading_info=True
    )
    missing = set(found["missing_keys"]) - _TRAINING_ONLY
    if missing:  # transformers fills them with random numbers and goes on
        msg = f"{len(missing)} tensors are not in the file, such as {min(missing)}"
        raise ValueError(msg)
    if model.config.add_adapter:
        msg = "an adapter behind the encoder changes the frame rate; no listed model has one"
        raise ValueError(msg)
    vocabulary = Wav2Vec2CTCTokenizer.from_pretrained(weights, local_files_only=True).get_vocab()
    n_labels = model.lm_head.out_features
    # Tokenizers add names such as <s> that the network has no column for.
    labels = {label.lower(): column for label, column in vocabulary.items() if column < n_labels}
    return _HuggingFaceNetwork(model.eval()), labels


def _only_file(weights: Path) -> Path:
    """Find torchaudio's file in its folder."""
    files = [file for file in weights.glob("*.pt*") if file.suffix in (".pt", ".pth")]
    if len(files) != 1:
        msg = f"expected one .pth or .pt file in {weights}, found {len(files)}"
        raise FileNotFoundError(msg)
    return files[0]
