import logging

import pytest
from pydantic import SecretStr

from jobs import queue as broker
from jobs import redis_client
from jobs.attempt import SetbackCode
from jobs.dispatch import job_dispatch
from jobs.leases import Leases
from jobs.queue import JobQueue
from jobs.settings import StoreSettings
from jobs.store import JobStore
from worker.bereaved import Bereaved

NOBODY = "redis://127.0.0.1:1/0"  # a port that nothing listens on


def test_a_launcher_outlives_the_absence_of_redis_and_says_who_takes_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = redis_client.connect(NOBODY)
    store = JobStore(client)
    queue = JobQueue(broker.connect(StoreSettings(redis_url=SecretStr(NOBODY))), client)
    bereaved = Bereaved(store, Leases(client, store), job_dispatch(client, queue))

    with caplog.at_level(logging.WARNING, logger="worker"):
        bereaved.put_back("of nobody", SetbackCode.CRASHED)

    (said,) = caplog.messages
    assert "leases" in said
    client.close()
