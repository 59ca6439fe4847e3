from jobs.stages import Stage
from pipeline.models import pulling
from pipeline.progress import LastProgress


def test_progress_is_said_again_and_never_falls_within_a_stage() -> None:
    told: list[tuple[Stage, float]] = []
    progress = LastProgress(lambda *step: told.append(step))

    progress.again()
    progress(Stage.TRANSCRIBE, 0.5)
    progress(Stage.TRANSCRIBE, 0.2)
    progress.again()
    progress(Stage.ALIGN, 0.1)

    assert told == [
        (Stage.DECODE, 0.0),
        *[(Stage.TRANSCRIBE, 0.5)] * 3,
        (Stage.ALIGN, 0.1),
    ]


def test_a_long_pull_moves_the_stage_that_waits_for_it() -> None:
    told: list[float] = []
    on_pull = pulling(lambda _, fraction: told.append(fraction), Stage.TRANSCRIBE, after=0.05)

    for fraction in (0.0, 0.3, 0.99):
        on_pull(fraction)

    assert told == sorted(set(told))
    assert told[0] == 0.05
    assert told[-1] < 0.06
