"""Many who need the keys at once wait together for a storage that does not answer."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.key_ring import KeyRing
from deploy.local.servers import LOOPBACK
from jobs import s3_client as s3
from jobs import silence
from jobs.errors import StorageUnavailable
from jobs.key_files import KeyFiles
from jobs.settings import StoreSettings

CALLERS = 4


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server((LOOPBACK, 0), backlog=4 * CALLERS) as server:
        yield server


def test_those_who_waited_for_a_look_in_vain_do_not_look_again(
    silent: socket.socket, settings: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "HOLD_SECONDS", 0.0)  # as if the machine were slow to wake them
    port = silent.getsockname()[1]
    elsewhere = settings.model_copy(update={"s3_endpoint_url": f"http://{LOOPBACK}:{port}"})
    storage = s3.connect(elsewhere, answer_seconds=1.0)
    ring = KeyRing([], KeyFiles(storage, settings.s3_bucket))
    all_here = threading.Barrier(CALLERS)

    def call() -> None:
        all_here.wait()
        with pytest.raises(StorageUnavailable):
            ring.owner_of("wl_anything")

    with ThreadPoolExecutor(CALLERS) as pool:
        for calling in [pool.submit(call) for _ in range(CALLERS)]:
            calling.result()

    assert _connections(silent) == 1
    storage.close()


def _connections(server: socket.socket) -> int:
    server.settimeout(0)
    count = 0
    while True:
        try:
            connection, _ = server.accept()
        except BlockingIOError:
            return count
        connection.close()
        count += 1
