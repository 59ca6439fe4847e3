"""Measure how long a submission takes while the service is busy: python -m benchmarks.submitting.

Eight clients send 1 MB files one after the other, each over one connection, while a worker takes
jobs. The worker's pipeline is the stand-in of the tests, so that what is measured is the front door
(form, S3, ledger, Redis, Celery) and not the recognition that shares the cores.
"""

import argparse
import http.client
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path

from deploy.local.processes import wait_until
from deploy.local.stack import Ports, Stack

MEDIA_BYTES = 1_000_000
# Seconds between two files of one client. Without a pause it is the cores that are measured: each
# file takes some 25 ms of processor time, most of it in S3 and its client.
PAUSES = {0.5: "two a second from each", 0.0: "back to back"}
BOUNDARY = "whisperline-benchmark"


def send(port: int, count: int, clients: int, seconds: "list[float]", *, pause: float) -> None:
    """Submit `count` files from `clients` threads; add how long each took."""
    script = json.dumps({"say": "hello", "seconds": 0.05}).encode()
    media = script + b" " * (MEDIA_BYTES - len(script))
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    body = head.encode() + media + f"\r\n--{BOUNDARY}--\r\n".encode()

    def one_client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(count // clients):
            began = time.perf_counter()
            connection.request(
                "POST",
                "/v1/jobs",
                body=body,
                headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            )
            answer = connection.getresponse()
            answer.read()
            seconds.append(time.perf_counter() - began)
            if answer.status != 202:
                raise RuntimeError(f"not taken: {answer.status}")
            time.sleep(pause * 2 * random.random())  # noqa: S311 - so that they do not march in step
        connection.close()

    threads = [threading.Thread(target=one_client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(port: int, count: int, clients: int, out: Path) -> None:
    """Run the clients in a process of their own, and write what they measured, by pause."""
    send(port, clients * 5, clients, [], pause=0)  # connections, scripts and threads come to be
    measured: dict[str, list[float]] = {}
    for pause in PAUSES:
        send(port, count, clients, measured.setdefault(PAUSES[pause], []), pause=pause)
    out.write_text(json.dumps(measured))


def main() -> int:
    """Start the service, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="whisperline-benchmark-") as directory:
        stack = Stack(directory=Path(directory), ports=Ports.free(), outlives_us=False)
        try:
            stack.start_servers()
            stack.start_api(variables={"REQUESTS_PER_MINUTE": "0"})
            worker = stack.start(
                "stand-in", [sys.executable, "-m", "tests.integration.stand_in_worker"]
            )
            wait_until(stack.has_worker, worker, within_seconds=60)
            out = Path(directory) / "seconds.json"
            clients = get_context("spawn").Process(
                target=measure, args=(stack.ports.api, arguments.count, arguments.clients, out)
            )
            clients.start()
            clients.join()
            measured = json.loads(out.read_text())
        finally:
            stack.stop()
    sys.stdout.write(
        f"{arguments.clients} clients, {MEDIA_BYTES} bytes a file, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    for name, seconds in measured.items():
        milliseconds = sorted(1000 * each for each in seconds)
        cuts = statistics.quantiles(milliseconds, n=100)
        sys.stdout.write(
            f"{name}: {len(milliseconds)} submissions, p50 {cuts[49]:.1f} ms, "
            f"p90 {cuts[89]:.1f} ms, p99 {cuts[98]:.1f} ms, most {milliseconds[-1]:.1f} ms\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
