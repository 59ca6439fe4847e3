import logging

import pytest
from pydantic import ValidationError

from jobs.settings import load_settings
from pipeline.diarizer_tuning import Clustering, DiarizerTuning, Segmentation
from pipeline.settings import PipelineSettings


class StandInPipeline:
    """Has parameters as pyannote's pipelines do."""

    def __init__(self) -> None:
        self.set = {
            "segmentation": {"min_duration_off": 0.0},
            "clustering": {"threshold": 0.7, "min_cluster_size": 6},
        }

    def parameters(self, *, instantiated: bool) -> dict[str, dict[str, float]]:
        assert instantiated
        return {group: dict(values) for group, values in self.set.items()}

    def instantiate(self, parameters: dict[str, dict[str, float]]) -> None:
        self.set = parameters


def read(monkeypatch: pytest.MonkeyPatch, value: str) -> DiarizerTuning:
    monkeypatch.setenv("DIARIZE_PARAM_OVERRIDES", value)
    return PipelineSettings().diarize_param_overrides


def test_overrides_are_read_from_json(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = read(monkeypatch, '{"segmentation": {"min_duration_off": 0.1}}')

    assert tuning == DiarizerTuning(segmentation=Segmentation(min_duration_off=0.1))
    assert read(monkeypatch, "") == DiarizerTuning()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('{"clustering": {"treshold": 0.6}}', "clustering.treshold: no such parameter"),
        ('{"embedding": {"batch": 1}}', "embedding: no such parameter"),
        ('{"clustering": {"threshold": "high"}}', "clustering.threshold: Input should be"),
        ('{"clustering": {"threshold": 7}}', "clustering.threshold: Input should be less than 2"),
        ('{"clustering": 7}', "clustering: Input should be"),
        ('{"clustering": NaN}', "clustering: Input should be"),
        ("threshold=0.6", "no JSON object"),
        ("[1, 2]", "[1, 2]: Input should be"),
    ],
)
def test_a_fault_stops_the_program_with_one_line_that_names_it(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIARIZE_PARAM_OVERRIDES", value)

    with pytest.raises(SystemExit):
        load_settings(PipelineSettings)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("setting DIARIZE_PARAM_OVERRIDES: ")
    assert said in line


def test_only_what_is_set_is_changed() -> None:
    pipeline = StandInPipeline()
    DiarizerTuning(clustering=Clustering(threshold=0.5)).apply(pipeline)

    assert pipeline.set == {
        "segmentation": {"min_duration_off": 0.0},
        "clustering": {"threshold": 0.5, "min_cluster_size": 6},
    }


def test_a_parameter_of_the_other_diarizer_is_left_out_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pipeline = StandInPipeline()
    with caplog.at_level(logging.WARNING):
        DiarizerTuning(clustering=Clustering(Fa=0.1, min_cluster_size=3)).apply(pipeline)

    assert pipeline.set["clustering"] == {"threshold": 0.7, "min_cluster_size": 3}
    assert "clustering.Fa" in caplog.text


def test_overrides_win_over_the_variables_of_their_own() -> None:
    tuning = DiarizerTuning(clustering=Clustering(threshold=0.5))

    both = tuning.but(threshold=0.9, min_duration_off=0.2)

    assert both.clustering.threshold == 0.5
    assert both.segmentation.min_duration_off == 0.2
    assert DiarizerTuning().but(threshold=0.9, min_duration_off=None).clustering.threshold == 0.9


def test_the_eviction_interval_has_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_EVICTION_INTERVAL_SECONDS", "5")

    assert PipelineSettings().model_eviction_interval_seconds == 30.0
    monkeypatch.setenv("MODEL_EVICTION_INTERVAL_SECONDS", "-5")
    with pytest.raises(ValidationError):
        PipelineSettings()
