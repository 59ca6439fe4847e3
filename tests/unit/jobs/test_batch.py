"""The moves of a batch, and how its jobs are counted."""

from datetime import UTC, datetime, timedelta

from jobs.batch import Batch, BatchStatus, counts_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BATCH = Batch(id="bat_1", owner="ann", total=10, created_at=NOW)


def test_a_batch_is_accepted_runs_and_completes() -> None:
    accepted = BATCH.accepted()

    assert BATCH.status is BatchStatus.ACCEPTING
    assert accepted.status is BatchStatus.RUNNING
    assert accepted.completed(NOW).status is BatchStatus.COMPLETED


def test_the_first_cancel_counts_and_one_that_is_over_is_not_canceled() -> None:
    canceled = BATCH.accepted().canceled(NOW)

    assert canceled.is_canceling
    assert canceled.canceled(LATER) == canceled
    assert canceled.completed(LATER).status is BatchStatus.CANCELED
    assert not canceled.completed(LATER).is_canceling
    over = BATCH.accepted().completed(NOW)
    assert over.canceled(LATER) == over


def test_a_batch_that_is_opened_again_is_not_canceled_but_one_under_way_stays_so() -> None:
    canceled = BATCH.accepted().canceled(NOW)

    assert canceled.reopened() == canceled
    assert canceled.completed(LATER).reopened() == BATCH.accepted()


def test_what_has_no_record_was_deleted_once_all_records_were_written() -> None:
    counted = {"queued": "3", "succeeded": "2", "failed": "0"}

    assert counts_of(BATCH, counted).deleted == 0
    counts = counts_of(BATCH.accepted(), counted)
    assert (counts.deleted, counts.kept, counts.unfinished) == (5, 5, 3)
