"""A diarization's steps make one fraction that rises to its end."""

from jobs.stages import Stage
from pipeline.diarizer_progress import DiarizerProgress


def test_clustering_moves_on_from_where_the_embeddings_ended() -> None:
    heard: list[float] = []
    progress = DiarizerProgress(lambda _, fraction: heard.append(fraction))

    progress("segmentation", None)
    progress("embeddings", None, total=4, completed=4)
    for done in (1, 2, 3):
        progress("clustering", None, total=3, completed=done)

    assert heard == sorted(set(heard))
    assert heard[-1] < 1


def test_every_step_is_the_diarization_s() -> None:
    stages: list[Stage] = []
    progress = DiarizerProgress(lambda stage, _: stages.append(stage))

    progress("clustering", None, total=3, completed=1)
    progress("discrete_diarization", None)

    assert stages == [Stage.DIARIZE, Stage.DIARIZE]
