"""A stage whose process dies, or whose message is lost, is done by another, or given up."""

from pathlib import Path
from typing import Any

import psutil
import pytest

from jobs.stage_call import StageRole
from pipeline.stages_elsewhere import StageFailed
from pipeline.waveform import Waveform
from tests.integration.split.asked import ATTEMPT, JOB, Sending, Start, diarize, ignore, ran, until
from worker.stage_sending import SentStages, StageSender


def test_a_stage_whose_process_is_killed_is_done_by_another(
    stages: SentStages, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    serve(), serve()
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=3, ran=str(file)), sound)
    until(lambda: ran(file))
    (first,) = ran(file)
    psutil.Process(first).kill()

    done = begun.done(ignore)

    assert done.diarization is not None
    assert len(ran(file)) == 2


def test_a_stage_that_kills_three_processes_is_given_up(
    stages: SentStages, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    deaths = tmp_path / "die"
    deaths.write_text("again\n" * 9)
    [serve() for _ in range(4)]

    with pytest.raises(StageFailed, match="3 times"):
        stages.begin(diarize(die=str(deaths)), sound).done(ignore)

    assert len(deaths.read_text().split()) == 6


def test_a_stage_that_nobody_serves_is_given_up_and_its_message_withdrawn(
    sending: Sending, serve: Start, sound: list[Waveform]
) -> None:
    serve(StageRole.ALIGN)
    sender = sending(unserved=2.0)
    with sender.of(JOB, ATTEMPT, excuse=lambda: None) as stages:
        begun = stages.begin(diarize(), sound)
        with pytest.raises(StageFailed, match="no process serves the stage diarize"):
            begun.done(ignore)
        assert sender.queue.waiting_ids("diarize")

    assert not sender.queue.waiting_ids("diarize")


def test_a_message_that_got_lost_is_sent_again(
    stages: SentStages, sender: StageSender, serve: Start, sound: list[Waveform], valkey: Any
) -> None:
    begun = stages.begin(diarize(), sound)
    until(lambda: sender.queue.waiting_ids("diarize"))
    valkey.delete("diarize")
    serve()

    assert begun.done(ignore).diarization is not None


def test_a_process_that_is_told_to_end_gives_its_stage_to_another(
    stages: SentStages,
    serve: Start,
    sound: list[Waveform],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = serve(DRAIN_SECONDS="0")
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=4, ran=str(file)), sound)
    until(lambda: ran(file))
    first.stop()
    serve()

    assert begun.done(ignore).diarization is not None
    assert len(set(ran(file))) == 2
    assert "died" not in caplog.text  # it is not counted
