"""Media that names other media makes nobody read or visit it."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from jobs.errors import UnsupportedMedia
from tests.integration.decoded_media import heard
from tests.media_made import tone, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def visits() -> Iterator[tuple[int, list[bytes]]]:
    """A port on which every visit is noted, and the notes."""
    notes: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def welcome() -> None:
            while True:
                try:
                    visitor, _ = server.accept()
                except OSError:
                    return
                with visitor:
                    notes.append(visitor.recv(4096))
                    visitor.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=welcome, daemon=True)
        thread.start()
        yield server.getsockname()[1], notes
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


LURES = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{url}\n#EXT-X-ENDLIST\n",
    "hls-of-a-file": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10.0,\n{file}\n#EXT-X-ENDLIST\n",
    "m3u": "#EXTM3U\n#EXTINF:10,Song\n{url}\n",
    "ffconcat": "ffconcat version 1.0\nfile {file}\nfile {url}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\n"
    "t=0 0\nm=audio {port} RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "asx": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n{url}\n",
    "redirect": "[Reference]\nRef1={url}\n",
}


@pytest.mark.parametrize("lure", LURES)
@pytest.mark.parametrize("suffix", ["mp3", "m3u8"])
def test_a_list_of_other_media_is_refused_before_anything_is_opened(
    tmp_path: Path, visits: tuple[int, list[bytes]], lure: str, suffix: str
) -> None:
    port, notes = visits
    other = write(tmp_path / "other.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    media = tmp_path / f"media.{suffix}"
    url = f"http://127.0.0.1:{port}/segment.ts"
    media.write_text(LURES[lure].format(url=url, file=other, port=port))

    with pytest.raises(UnsupportedMedia):
        heard(media, tmp_path)

    assert notes == []


def test_the_lures_work_where_nobody_guards(
    tmp_path: Path, visits: tuple[int, list[bytes]]
) -> None:
    # Without this the test above could pass because the lures are no good.
    port, notes = visits
    other = write(tmp_path / "other.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    media = tmp_path / "media.m3u8"
    media.write_text(LURES["hls"].format(url=f"http://127.0.0.1:{port}/segment.ts"))
    with pytest.raises(av.FFmpegError):
        av.open(str(media), options={"protocol_whitelist": "file,http,tcp"})

    assert len(notes) >= 1

    media.write_text(f"ffconcat version 1.0\nfile {other}\n")
    with av.open(str(media), options={"safe": "0"}) as unguarded:
        assert len(unguarded.streams.audio) == 1


def test_a_confined_process_opens_no_file_and_no_socket(tmp_path: Path) -> None:
    program = (
        "import os, socket, sys; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import confine\n"
        "confine(cpu_seconds=60, output_bytes=1000, spare_files=0)\n"
        "def tried(what):\n"
        "    try: what()\n"
        "    except OSError as error: print(error.errno)\n"
        "    else: print('allowed')\n"
        "tried(lambda: os.open('/etc/hostname', os.O_RDONLY))\n"
        "tried(socket.socket)\n"
        "tried(lambda: os.write(int(sys.argv[2]), bytes(1000)))\n"
        "tried(lambda: os.write(int(sys.argv[2]), bytes(1000)))\n"
    )
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", program, str(ROOT), str(out.fileno())],
            capture_output=True,
            text=True,
            check=True,
            pass_fds=(out.fileno(),),
        )

    assert done.stdout.split() == ["24", "24", "allowed", "27"]  # EMFILE, EMFILE, …, EFBIG
