"""Give both sides the same English aligner: the real one, or one with random weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.cache_dir import cached, models_directory
from pipeline.settings import PipelineSettings

NAME = "aligner-en"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAligner:
    """Where an aligner is, and what to think of its times."""

    settings: PipelineSettings  # with which a pipeline finds it
    folder: Path  # with which WhisperX finds it
    is_real: bool  # False: random weights; its times cost what the real ones cost, and mean nothing


@contextmanager
def english_aligner(settings: PipelineSettings) -> Iterator[SharedAligner]:
    """Lend a cache that holds an English aligner, for a block.

    The real one is some 360 MB from a hub. Where it is not in the cache, one of the same
    architecture is made, in a cache of its own that links to everything else of this one.
    """
    real = cached(NAME, settings)
    if real is not None:
        yield SharedAligner(settings=settings, folder=real, is_real=True)
        return
    # Also what the tests compare this pipeline's alignment with WhisperX's by.
    from tests.integration.aligners_made import torchaudio_weights

    with TemporaryDirectory(prefix="whisperline-benchmark-models-") as directory:
        made = settings.model_copy(update={"cache_dir": Path(directory)})
        folder = models_directory(made) / NAME
        folder.mkdir(parents=True)
        torchaudio_weights(folder)
        for model in models_directory(settings).iterdir():
            if model.is_dir() and model.name != NAME and not model.name.startswith("."):
                (folder.parent / model.name).symlink_to(model.resolve())
        yield SharedAligner(settings=made, folder=folder, is_real=False)
