"""A worker comes back soon after its broker does."""

import pytest
from kombu.exceptions import OperationalError
from pydantic import SecretStr

from deploy.local.servers import free_ports
from jobs import queue
from jobs.broker_transport import LONGEST_PAUSE_SECONDS
from jobs.settings import StoreSettings


def test_a_worker_never_waits_long_between_two_looks_for_its_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda seconds: None)
    nobody = SecretStr(f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    connection = queue.connect(StoreSettings(redis_url=nobody)).connection_for_read()
    pauses: list[float] = []

    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda _, pause: pauses.append(pause), 8)

    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert len(pauses) == 8
