import pytest

from jobs.errors import ModelUnavailable
from jobs.stages import Stage
from pipeline.optional_stage import OptionalStage
from pipeline.progress import unheard


class Canceled(Exception):
    """What a caller may raise at any sign of progress."""


def cancel(stage: Stage, fraction: float) -> None:
    raise Canceled


def test_a_cancel_ends_the_run_and_is_no_failure_of_the_stage() -> None:
    with pytest.raises(Canceled), OptionalStage(cancel) as stage:
        stage.on_progress(Stage.DIARIZE, 0.5)


def test_a_stage_that_fails_says_why_in_words_for_a_client() -> None:
    with OptionalStage(unheard) as stage:
        raise ModelUnavailable("pull it first")

    assert stage.reason == "pull it first"


def test_a_bug_in_a_stage_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with OptionalStage(unheard) as stage:
        raise ZeroDivisionError("secret detail")

    assert "secret" not in stage.reason
    assert "secret detail" in caplog.text


def test_the_end_of_the_process_is_not_held_up() -> None:
    with pytest.raises(SystemExit), OptionalStage(unheard):
        raise SystemExit
