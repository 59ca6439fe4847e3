"""What a run asks of another process arrives there, and what comes of it comes back."""

import math
from contextlib import ExitStack
from pathlib import Path

import pytest

from jobs.errors import OutOfMemory
from jobs.options import TranscriptionOptions
from jobs.stage_call import StageRole
from jobs.stages import Stage
from pipeline.speech import HeardWindow, Window
from pipeline.stage_work import StageWork
from pipeline.stages_elsewhere import StageFailed, checked
from pipeline.waveform import Waveform
from tests.integration.split.asked import (
    ATTEMPT,
    DIARIZE,
    SOUND,
    Start,
    diarize,
    ignore,
    ran,
    until,
)
from worker.stage_sending import SentStages, StageSender


def test_what_is_heard_comes_back_with_its_times_whatever_they_are(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve(StageRole.ALIGN)
    window = HeardWindow(
        window=Window(start=0.1, end=0.1 + 0.2, spans=()),
        language="en",
        words=(" It's", " two"),
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=1.0,
        temperature=0.0,
    )
    work = StageWork(
        stage=Stage.ALIGN, options=TranscriptionOptions(), batch_share=0.5, heard=((window,), ())
    )

    done = stages.begin(work, [*sound, *sound]).done(ignore)

    ((first, second),), nothing = done.times
    assert nothing == ()
    assert first is not None
    assert first.start == float(SOUND.sum())
    assert second is not None
    assert second.score is not None
    assert math.isnan(second.score)


def test_what_is_asked_is_the_same_after_its_way(stages: SentStages) -> None:
    work = diarize(seconds=1.5)

    assert StageWork.model_validate_json(work.model_dump_json()) == work


def test_progress_is_told_while_a_stage_works(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve()
    told: list[float] = []

    done = stages.begin(diarize(seconds=4), sound).done(told.append)

    assert told == sorted(told)
    assert 0.2 < told[-1] <= 1
    assert done.diarization is not None
    assert done.diarization.turns[0].end == SOUND.max()


def test_a_stage_waits_in_its_queue_for_as_long_as_somebody_serves_it(
    sender: StageSender, serve: Start, sound: list[Waveform]
) -> None:
    serve()
    with ExitStack() as runs:
        attempts = [
            runs.enter_context(sender.of(f"job_{number}", ATTEMPT, excuse=lambda: None))
            for number in range(2)
        ]
        long, short = (
            attempt.begin(diarize(seconds=seconds), sound)
            for attempt, seconds in zip(attempts, (6, 0), strict=True)
        )

        assert short.done(ignore).diarization is not None
        assert long.done(ignore).diarization is not None


def test_what_a_stage_suffers_is_told_to_the_run(
    stages: SentStages, serve: Start, sound: list[Waveform]
) -> None:
    serve(), serve(StageRole.ALIGN)

    starved = stages.begin(diarize(eat=True), sound).done(ignore)
    options = TranscriptionOptions(initial_prompt='{"bug": true}')
    broken = stages.begin(
        StageWork(stage=Stage.ALIGN, options=options, batch_share=1.0), sound
    ).done(ignore)

    with pytest.raises(OutOfMemory):
        checked(starved)
    with pytest.raises(StageFailed, match="a fault of this service"):
        checked(broken)


def test_a_message_that_comes_twice_is_one_call(
    stages: SentStages, sender: StageSender, serve: Start, sound: list[Waveform], tmp_path: Path
) -> None:
    serve(), serve()
    file = tmp_path / "ran"
    begun = stages.begin(diarize(seconds=2, ran=str(file)), sound)
    until(lambda: ran(file))
    sender.queue.send_stage(DIARIZE)

    begun.done(ignore)
    sender.queue.send_stage(DIARIZE)
    until(lambda: not sender.queue.waiting_ids("diarize"))
    with sender.of("job_2", ATTEMPT, excuse=lambda: None) as after:
        after.begin(diarize(), sound).done(ignore)  # whoever took the message is done with it

    assert len(ran(file)) == 1
