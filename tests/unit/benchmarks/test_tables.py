"""What is measured becomes tables, goals and plots, whether a little was measured or all."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import backlog, plots, short_clips, stages, whole
from benchmarks.hypothesis import OURS, WHISPERX
from benchmarks.part import Part, parts

ROWS = {"word error rate, %": 10.0, "diarization error rate, %": 8.0}
MEASURED: dict[str, dict[str, Any]] = {
    "stages": {
        "media": "talk.wav",
        "seconds": {
            WHISPERX: {
                "voice activity": [3.0, 2.0, 9.0],
                "text": [4.0, 4.0, 4.0],
                "alignment": [4.0, 4.0, 8.0],
                "speakers": [10.0, 10.0, 10.0],
            },
            OURS: {
                "voice activity": [0.1, 0.1, 0.1],
                "text": [4.0, 4.0, 4.0],
                stages.OWN_TIMES: [4.0, 4.0, 4.0],
                "alignment": [1.0, 2.0, 4.0],
                "speakers": [5.0, 5.0, 5.0],
            },
        },
    },
    "whole": {
        "media_seconds": {"talk.wav": 10.0, "call.mp3": 20.0},
        "aligner": "random weights",
        "seconds": {
            WHISPERX: {"talk.wav": [6.0, 5.0, 9.0], "call.mp3": [10.0, 10.0, 10.0]},
            OURS: {"talk.wav": [1.0, 2.0, 1.0], "call.mp3": [4.0, 4.0, 4.0]},
        },
        "accuracy": {
            WHISPERX: {**ROWS, "line edges off, median, s": None},
            OURS: {**ROWS, "word error rate, %": 10.5, "line edges off, median, s": 0.05},
        },
    },
    "backlog": {
        "media": ["talk.wav"],
        "at_once": {
            "1": {
                "seconds": {backlog.PIPELINE: [9.6], backlog.SERVICE: [10.0]},
                "account": {"media from storage": [0.1, 0.3, 0.2], "pipeline: decode": [1.0]},
                "processor": {backlog.PIPELINE: [15.0], "worker": [15.5], "api": [0.5]},
                "different_texts": 0,
            }
        },
    },
    "short_clips": {
        "clips": 60,
        "options": {},
        "seconds": {short_clips.ALONE: [30.0], short_clips.TOGETHER: [20.0]},
        "different_texts": {short_clips.ALONE: 0, short_clips.TOGETHER: 1},
    },
}
MODULES = {"stages": stages, "whole": whole, "backlog": backlog, "short_clips": short_clips}


def reached(name: str) -> dict[str, bool]:
    return {goal.what: goal.is_reached for goal in MODULES[name].goals(MEASURED[name])}


def test_a_stage_is_as_fast_as_its_median() -> None:
    table = stages.table(MEASURED["stages"])

    assert "| voice activity | 3.00 | 0.10 | 30.0 x |" in table
    assert f"| {stages.OWN_TIMES} | 8.00 | 4.00 | 2.0 x |" in table
    assert f"| {stages.ALL} | 21.00 | 11.10 | 2.1 x |" in table
    assert list(reached("stages").values()) == [True, False, True]


def test_recordings_add_up_and_what_says_nothing_is_left_out() -> None:
    table = whole.table(MEASURED["whole"])

    assert "| **all** | 30.0 | 16.00 | 5.00 | 3.2 x |" in table
    assert "| line edges off, median, s | - | 0.05 |" in table
    assert list(reached("whole").values()) == [True, False, True]


def test_a_service_below_its_share_misses_its_goal() -> None:
    assert "| 1 | 9.60 | 10.00 | 96.0 % | 0 |" in backlog.table(MEASURED["backlog"])
    assert "| **all in which the pipeline does nothing** | 0.200 |" in backlog.table(
        MEASURED["backlog"]
    )
    assert list(reached("backlog").values()) == [False]


def test_another_text_misses_a_goal_however_fast() -> None:
    assert list(reached("short_clips").values()) == [True, False]


@pytest.mark.parametrize("names", [["backlog"], list(MEASURED)])
def test_there_is_a_plot_of_everything_that_was_measured(names: list[str], tmp_path: Path) -> None:
    drawn = plots.draw({name: MEASURED[name] for name in names}, tmp_path)

    assert [path.name for path in drawn] == [f"{name}.png" for name in names]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_a_benchmark_is_asked_only_what_it_knows() -> None:
    module = ModuleType("made_up", "Measure something.\n\nIn some way.")
    module.measure = lambda *, runs: {"runs": runs}  # type: ignore[attr-defined]
    module.table = lambda measured: f"{measured['runs']} runs"  # type: ignore[attr-defined]
    part = Part("made_up", module)

    assert part.table(part.measure(runs=2, quick=True)) == "2 runs"
    assert part.goals({}) == []
    assert (part.title, part.about) == ("Measure something", "In some way.")


def test_the_main_benchmarks_are_found() -> None:
    assert {"stages", "whole", "backlog", "short_clips"} <= parts().keys()
