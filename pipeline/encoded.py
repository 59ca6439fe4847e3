"""Put windows that Whisper's encoder has heard together into batches; CTranslate2 itself cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import ctranslate2


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What the encoder made of one window: a row of what it made of a batch."""

    batch: "ctranslate2.StorageView"  # shape (n_windows, 1500, d_model), where the model computes
    row: int


def joined(windows: Sequence[Encoded]) -> "ctranslate2.StorageView":
    """Return a batch of windows, at least one, from whatever batches they were encoded in.

    Where they are not just one of those, by way of the CPU and float32, which numpy has:
    CTranslate2 moves them back where it computes, and rounding them back changes nothing.
    """
    import ctranslate2

    batch = windows[0].batch
    if all(each.batch is batch for each in windows) and [each.row for each in windows] == list(
        range(batch.shape[0])
    ):
        return batch
    arrays: dict[int, npt.NDArray[np.float32]] = {}
    for each in windows:
        if id(each.batch) not in arrays:
            on_cpu = each.batch.to_device(ctranslate2.Device.cpu)
            arrays[id(each.batch)] = np.asarray(on_cpu.to(ctranslate2.DataType.float32))
    rows = [arrays[id(each.batch)][each.row] for each in windows]
    return ctranslate2.StorageView.from_array(np.stack(rows))
