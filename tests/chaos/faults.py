"""What goes wrong: each fault hurts one part of the service, mends it, and waits for its cure."""

import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from deploy.local.servers import LOOPBACK
from jobs.options import Priority
from jobs.queue import TASK
from tests.chaos.accounts import Accounts
from tests.chaos.recovery import Recoveries, in_other_hands
from tests.chaos.scene import Scene

WORKERS = ("worker-0", "worker-1")
_LEASE_AND_MORE_SECONDS = 36.0
_UPLOAD_BYTES = 8 * 1024**2


@dataclass(slots=True, kw_only=True)
class Play:
    """What faults play on."""

    scene: Scene
    accounts: Accounts
    recoveries: Recoveries
    chance: random.Random
    failed: list[str] = field(default_factory=list)  # faults that could not be brought about


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    name: str
    parts: tuple[str, ...]  # of the scene, one of which it needs for itself
    inject: Callable[[Play, str], None]
    share: int  # of every hundred faults


def _follow(play: Play, fault: str, is_well: Callable[[], bool]) -> None:
    play.recoveries.follow(fault, len(play.accounts.open()), is_well)


def _a_job_ends(play: Play) -> Callable[[], bool]:
    """Return whether a job has ended after this moment, or none is left to end."""
    since = time.monotonic()
    return lambda: not play.accounts.open() or play.accounts.ended_since(since) > 0


def _jobs_of(play: Play, launcher: str) -> "Callable[[], bool]":
    held = [job for job in play.scene.running() if job.lease and job.lease.worker == launcher]
    return in_other_hands(play.scene.store, held)


def kill_gpu_process(play: Play, launcher: str) -> None:
    """`kill -9` of the process that runs jobs; its launcher lives."""
    children = play.scene.children(launcher)
    is_well = _jobs_of(play, launcher)
    for child in children:
        _kill(child)
    _follow(play, "kill -9 gpu process", is_well)


def kill_launcher(play: Play, launcher: str) -> None:
    """`kill -9` of the launcher; its child hands back and goes, a new launcher comes."""
    is_well = _jobs_of(play, launcher)
    play.scene.kill(launcher)
    _follow(play, "kill -9 launcher", is_well)
    play.scene.start(launcher)


def kill_both(play: Play, launcher: str) -> None:
    """`kill -9` of launcher and gpu process at once, as a machine without power."""
    is_well = _jobs_of(play, launcher)
    children = play.scene.children(launcher)
    play.scene.kill(launcher)
    for child in children:
        _kill(child)
    _follow(play, "kill -9 launcher and gpu process", is_well)
    play.scene.start(launcher)


def pause_gpu_process(play: Play, launcher: str) -> None:
    """SIGSTOP for longer than a lease, as a machine that sleeps; then all goes on."""
    pids = [play.scene.pid(launcher), *(child.pid for child in play.scene.children(launcher))]
    is_well = _jobs_of(play, launcher)
    for pid in pids:
        play.scene.pause(pid)
    _follow(play, "SIGSTOP longer than the lease", is_well)
    time.sleep(_LEASE_AND_MORE_SECONDS)
    for pid in reversed(pids):  # the children first, so that their launcher hears of them
        play.scene.go_on(pid)


def step_clock(play: Play, launcher: str) -> None:
    """The clock of a worker jumps by two minutes, forth or back."""
    for child in play.scene.children(launcher):
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGUSR1)  # tests/chaos/worker.py
    _follow(play, "clock step", _a_job_ends(play))


def kill_api(play: Play, _: str) -> None:
    """`kill -9` of the API while it receives an upload."""
    with _half_an_upload(play.scene.stack.ports.api):
        play.scene.kill("api")
    play.scene.start("api")
    _follow(play, "kill -9 API mid-upload", play.scene.lives)


def kill_housekeeper(play: Play, name: str) -> None:
    """`kill -9` of a housekeeper."""
    play.scene.kill(name)
    play.scene.start(name)
    _follow(play, "kill -9 housekeeper", lambda: not play.scene.leases.expired())


def kill_valkey(play: Play, _: str) -> None:
    """`kill -9` of Valkey; it comes back a little later with what it had written."""
    play.scene.kill("valkey")
    time.sleep(play.chance.uniform(0.0, 4.0))
    play.scene.start("valkey")
    _follow(play, "Valkey kill -9 and restart", _a_job_ends(play))


def pause_valkey(play: Play, _: str) -> None:
    """Valkey takes connections and answers nothing."""
    _pause_server(play, "valkey", "Valkey silent")


def kill_seaweedfs(play: Play, _: str) -> None:
    """`kill -9` of SeaweedFS."""
    play.scene.kill("seaweedfs")
    time.sleep(play.chance.uniform(0.0, 4.0))
    play.scene.start("seaweedfs")
    _follow(play, "SeaweedFS kill -9 and restart", _a_job_ends(play))


def pause_seaweedfs(play: Play, _: str) -> None:
    """SeaweedFS takes connections and answers nothing."""
    _pause_server(play, "seaweedfs", "SeaweedFS silent")


def empty_valkey(play: Play, _: str) -> None:
    """FLUSHALL: records, indexes, leases, messages, everything."""
    waiting = [promise.job_id for promise in play.accounts.open()]
    play.scene.redis.flushall()

    def is_well() -> bool:
        found = {job.id for job in play.scene.store.get_many(waiting)}
        over = {promise.job_id for promise in play.accounts.all() if promise.ended_at is not None}
        return set(waiting) <= found | over

    _follow(play, "FLUSHALL", is_well)


def double_messages(play: Play, _: str) -> None:
    """Every message in the queues, and one of each running job, comes a second time."""
    for queue in Priority:
        for message in play.scene.redis.lrange(queue, 0, -1):
            play.scene.redis.lpush(queue, message)
    for job in play.scene.running():
        play.scene.celery.send_task(TASK, args=[job.id], queue=job.options.priority, task_id=job.id)
    _follow(play, "messages doubled", _a_job_ends(play))


def lose_messages(play: Play, _: str) -> None:
    """All messages are lost, those in the queues and those that were taken."""
    play.scene.redis.delete(*Priority, "unacked", "unacked_index")
    _follow(play, "messages lost", _a_job_ends(play))


def restart_launcher(play: Play, launcher: str) -> None:
    """SIGTERM, and a new one: a rolling restart of one worker."""
    is_well = _jobs_of(play, launcher)
    play.scene.stop(launcher)
    _follow(play, "rolling restart of a worker", is_well)
    play.scene.start(launcher)


def restart_api(play: Play, _: str) -> None:
    """SIGTERM of the API, and a new one."""
    play.scene.stop("api")
    play.scene.start("api")
    _follow(play, "restart of the API", play.scene.lives)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):  # a job has killed it meanwhile, or its launcher did
        process.kill()


def _pause_server(play: Play, name: str, fault: str) -> None:
    play.scene.pause(play.scene.pid(name))
    time.sleep(play.chance.uniform(2.0, 8.0))
    play.scene.resume(name)
    _follow(play, fault, _a_job_ends(play))


def _half_an_upload(port: int) -> socket.socket:
    """Return a connection on which half of a job's media was sent."""
    connection = socket.create_connection((LOOPBACK, port), timeout=5)
    boundary = "chaos"
    head = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=file; filename=half.wav\r\n\r\n"
    ).encode()
    length = len(head) + _UPLOAD_BYTES
    with suppress(TimeoutError):  # storage is away: the API takes no more of it for now
        connection.sendall(
            f"POST /v1/jobs HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Length: {length}\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n".encode()
            + head
            + bytes(_UPLOAD_BYTES // 2)
        )
    return connection


FAULTS = (
    Fault("kill -9 gpu process", WORKERS, kill_gpu_process, share=18),
    Fault("kill -9 launcher", WORKERS, kill_launcher, share=6),
    Fault("kill -9 launcher and gpu process", WORKERS, kill_both, share=6),
    Fault("SIGSTOP longer than the lease", WORKERS, pause_gpu_process, share=2),
    Fault("clock step", WORKERS, step_clock, share=5),
    Fault("rolling restart of a worker", WORKERS, restart_launcher, share=6),
    Fault("kill -9 API mid-upload", ("api",), kill_api, share=8),
    Fault("restart of the API", ("api",), restart_api, share=3),
    Fault("kill -9 housekeeper", ("housekeeper", "housekeeper-2"), kill_housekeeper, share=8),
    Fault("Valkey kill -9 and restart", ("valkey",), kill_valkey, share=5),
    Fault("Valkey silent", ("valkey",), pause_valkey, share=3),
    Fault("FLUSHALL", ("valkey",), empty_valkey, share=4),
    Fault("SeaweedFS kill -9 and restart", ("seaweedfs",), kill_seaweedfs, share=4),
    Fault("SeaweedFS silent", ("seaweedfs",), pause_seaweedfs, share=2),
    Fault("messages doubled", ("valkey",), double_messages, share=12),
    Fault("messages lost", ("valkey",), lose_messages, share=8),
)
