"""Which service is spoken to, with which key."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest

from client.connection import Connection
from client.errors import Misuse
from client.screen import Screen
from client.service import Service

OUTER = Connection(url="http://outer", api_key="outer", patience=3.0)


@contextmanager
def connected(connection: Connection) -> Iterator[tuple[Service, str]]:
    """Connect, which sends nothing; yield what was said of it too."""
    said = io.StringIO()
    with redirect_stderr(said), connection.connect(Screen(as_json=False)) as service:
        yield service, said.getvalue()


def test_what_stands_after_the_command_wins() -> None:
    assert Connection(url="http://inner").over(OUTER).url == "http://inner"
    assert Connection().over(OUTER) == OUTER
    assert Connection(patience=0.0).over(OUTER).patience == 0.0
    assert Connection(as_json=True).over(OUTER).as_json


def test_a_key_file_replaces_the_key_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" secret\n")
    merged = Connection(api_key_file=tmp_path / "key").over(OUTER)

    assert (merged.api_key, merged.api_key_file) == (None, tmp_path / "key")


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", "ключ".encode()])
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    connection = Connection(api_key_file=tmp_path / "key")

    with pytest.raises(Misuse, match="key"), connected(connection):
        pass


@pytest.mark.parametrize("url", ["", "localhost:9000", "ftp://x", "http://", "foo", "http://a..b"])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(Misuse, match="no address"), connected(Connection(url=url or " ")):
        pass


@pytest.mark.parametrize(
    ("url", "key", "is_told"),
    [
        ("http://10.0.0.1:9000", "k", True),
        ("http://any:k@example.com", None, True),
        ("http://10.0.0.1:9000", None, False),
        ("https://example.com", "k", False),
        ("http://127.0.0.1:9000", "k", False),
        ("http://[::1]:9000", "k", False),
        ("http://localhost", "k", False),
    ],
)
def test_a_key_that_others_can_read_on_the_way_is_warned_of(
    url: str, key: str | None, *, is_told: bool
) -> None:
    with connected(Connection(url=url, api_key=key)) as (service, said):
        assert ("clear text" in said) is is_told
        assert "k@" not in service.exchange.shown_url
        assert "any" not in said
