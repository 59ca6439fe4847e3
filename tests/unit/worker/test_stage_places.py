from collections import Counter

import pytest
from pydantic import ValidationError

from jobs.stage_call import StageRole
from worker.gpus import Place
from worker.launched import Launched
from worker.settings import WorkerSettings
from worker.stage_places import MOST, ONE_EACH, parse_replicas, stage_places
from worker.stage_process import role_of

GPUS = [Place(name=f"gpu{number}", cuda_visible_devices=str(number)) for number in range(2)]


def test_each_stage_has_one_process_unless_it_is_said_otherwise() -> None:
    assert WorkerSettings().stage_replicas == ONE_EACH
    assert parse_replicas("") == ONE_EACH
    assert parse_replicas(" whisper = 2, diarize=0") == {
        StageRole.WHISPER: 2,
        StageRole.ALIGN: 1,
        StageRole.DIARIZE: 0,
    }


@pytest.mark.parametrize(
    "typo", ["whisper", "whisper=", "wisper=1", "align=-1", "align=1.5", f"align={MOST + 1}"]
)
def test_a_typo_is_refused(typo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE_REPLICAS", typo)

    with pytest.raises(ValidationError, match="is not STAGE=NUMBER"):
        WorkerSettings()


def test_processes_are_spread_over_the_gpus_in_turns() -> None:
    found = stage_places(GPUS, {**ONE_EACH, StageRole.WHISPER: 2})

    assert [place.name for place in found] == [
        *("gpu0-whisper", "gpu1-whisper", "gpu0-align", "gpu1-diarize")
    ]
    assert Counter(place.variables["CUDA_VISIBLE_DEVICES"] for place in found) == {"0": 2, "1": 2}
    assert [place.variables["WORKER_STAGE"] for place in found] == [
        *("whisper", "whisper", "align", "diarize")
    ]


def test_a_place_without_a_gpu_leaves_cuda_as_it_is() -> None:
    (place, *_) = stage_places([Place(name="cpu")], ONE_EACH)

    assert place.variables == {"WORKER_STAGE": "whisper"}


def test_a_process_does_one_stage_only_where_the_pipeline_is_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (_, place, _) = stage_places(GPUS, ONE_EACH)
    for name, value in place.variables.items():
        monkeypatch.setenv(name, value)

    whole = role_of(WorkerSettings(), Launched())
    split = role_of(WorkerSettings(pipeline_strategy="split"), Launched())

    assert (whole, split) == (None, StageRole.ALIGN)
