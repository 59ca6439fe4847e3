"""Hostile media end as typed errors: no other file is read, nothing grows, nothing hangs."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.errors import CorruptMedia, MediaError, TooLong, UnsupportedMedia
from jobs.stages import Stage
from pipeline import decoder_process
from pipeline.decoding import WAVEFORM_FILE, DecodedMedia, decode
from pipeline.progress import unheard
from pipeline.waveform import SAMPLE_RATE
from tests.media_made import tone, write

ROOT = Path(__file__).parents[2]


def heard(media: Path, directory: Path, *, max_seconds: float = 60.0) -> DecodedMedia:
    return decode(
        media, directory, max_seconds=max_seconds, timeout_seconds=60.0, on_progress=unheard
    )


class Canceled(Exception):
    """What a caller raises to end a run."""


# --- lists of other files -----------------------------------------------------------------------


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


# --- bombs --------------------------------------------------------------------------------------


def test_a_small_file_of_endless_silence_is_too_long_and_bounded_on_disk(tmp_path: Path) -> None:
    silence = np.zeros((1, 8_000 * 3600), np.float32)
    media = write(tmp_path / "bomb.flac", silence, codec="flac", rate=8_000)
    assert media.stat().st_size < 1_000_000  # 230 MB as a waveform
    sizes: list[int] = []

    with pytest.raises(TooLong, match="hours"):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=lambda *_: sizes.append((tmp_path / WAVEFORM_FILE).stat().st_size),
        )

    assert max(sizes) <= 60 * SAMPLE_RATE * 4


def test_a_leap_in_the_timestamps_is_no_way_to_fill_the_disk(tmp_path: Path) -> None:
    media = write(
        tmp_path / "leap.mkv",
        tone(2, rate=16_000),
        codec="pcm_s16le",
        rate=16_000,
        gaps=((1.0, 3000.0),),
    )

    with pytest.raises(TooLong):
        heard(media, tmp_path)


def test_a_broken_clock_does_not_make_a_short_recording_long(tmp_path: Path) -> None:
    media = write(
        tmp_path / "leap.mkv",
        tone(2, rate=16_000),
        codec="pcm_s16le",
        rate=16_000,
        gaps=((1.0, 100_000.0),),
    )

    decoded = heard(media, tmp_path)

    assert decoded.seconds == pytest.approx(2.0, abs=0.1)
    assert "timestamps break" in decoded.warnings[0].message


def test_a_long_wav_is_refused_from_its_header_alone(tmp_path: Path) -> None:
    media = write(
        tmp_path / "long.wav",
        np.zeros((1, 8_000 * 120), np.float32),
        codec="pcm_s16le",
        rate=8_000,
    )
    fractions: list[float] = []

    with pytest.raises(TooLong):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=lambda _, fraction: fractions.append(fraction),
        )

    assert max(fractions) == 0.0


def test_a_header_that_lies_about_days_does_not_refuse_a_short_recording(tmp_path: Path) -> None:
    media = write(tmp_path / "a.m4a", tone(3, rate=16_000), codec="aac", rate=16_000)
    content = bytearray(media.read_bytes())
    for box in (b"mvhd", b"mdhd"):  # version 0: flags, created, modified, timescale, duration
        at = content.index(box) + 4 + 4 + 4 + 4 + 4
        content[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "big")
    at = content.index(b"elst") + 4 + 4 + 4
    content[at : at + 4] = (0x7FFFFFF0).to_bytes(4, "big")
    media.write_bytes(content)

    assert heard(media, tmp_path).seconds == pytest.approx(3.0, abs=0.2)


@pytest.mark.parametrize("table", [b"stsz", b"stts", b"stsc"])
def test_an_index_that_claims_millions_of_samples_ends_soon(tmp_path: Path, table: bytes) -> None:
    media = write(tmp_path / "a.m4a", tone(3, rate=16_000), codec="aac", rate=16_000)
    content = bytearray(media.read_bytes())
    at = content.index(table) + 8
    claim = (1).to_bytes(4, "big") if table == b"stsz" else b""
    claim += (0x0FFFFFFF).to_bytes(4, "big")
    if table == b"stts":
        claim = (1).to_bytes(4, "big") + (0x0FFFFFFF).to_bytes(4, "big")
    content[at : at + len(claim)] = claim
    media.write_bytes(content)
    began = time.monotonic()

    try:
        decoded = heard(media, tmp_path)
    except MediaError:
        pass
    else:
        assert decoded.seconds <= 60

    assert time.monotonic() - began < 30


def test_a_rate_that_no_recorder_has_is_corrupt(tmp_path: Path) -> None:
    media = write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)
    content = bytearray(media.read_bytes())
    content[24:28] = (1).to_bytes(4, "little")
    media.write_bytes(content)

    with pytest.raises(CorruptMedia):
        heard(media, tmp_path, max_seconds=1e6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    ("suffix", "codec"), [("m4a", "aac"), ("mkv", "flac"), ("ogg", "libopus"), ("avi", "mp2")]
)
def test_flipped_bits_end_as_sound_or_as_a_typed_error(
    tmp_path: Path, suffix: str, codec: str, seed: int
) -> None:
    media = write(tmp_path / f"a.{suffix}", tone(2, rate=48_000), codec=codec, rate=48_000)
    content = bytearray(media.read_bytes())
    random = np.random.default_rng(seed)
    for at in random.integers(0, len(content), 40):
        content[at] ^= 1 << int(random.integers(8))
    media.write_bytes(content)

    try:
        decoded = heard(media, tmp_path)
    except MediaError:
        return

    assert np.isfinite(decoded.waveform).all()
    assert np.abs(decoded.waveform).max() <= 1.0


# --- a child that does not do its work ----------------------------------------------------------

READY = "import os, sys, time, signal; print('{\"ready\": true}', flush=True)\n"


def _child(monkeypatch: pytest.MonkeyPatch, program: str) -> list["subprocess.Popen[bytes]"]:
    """Put another program in the decoder's place; gives the processes that were started."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def start_and_note(*args: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(start(*args, **options))  # type: ignore[call-overload] # as it came
        return started[-1]

    monkeypatch.setattr(decoder_process, "_START", program)
    monkeypatch.setattr(subprocess, "Popen", start_and_note)
    return started


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return write(tmp_path / "a.wav", tone(1, rate=16_000), codec="pcm_s16le", rate=16_000)


def test_a_cancel_is_noticed_while_the_decoder_hangs(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _child(monkeypatch, READY + "time.sleep(600)")
    calls: list[float] = []

    def cancel_at_the_third(stage: Stage, fraction: float) -> None:
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise Canceled

    with pytest.raises(Canceled):
        decode(
            media,
            tmp_path,
            max_seconds=60,
            timeout_seconds=60,
            on_progress=cancel_at_the_third,
        )

    assert max(np.diff(calls)) < 2.0
    assert started[0].returncode == -signal.SIGKILL


def test_a_decoder_that_hangs_is_ended(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _child(monkeypatch, READY + "time.sleep(600)")

    with pytest.raises(CorruptMedia, match=r"within 1\.5 seconds"):
        decode(media, tmp_path, max_seconds=60, timeout_seconds=1.5, on_progress=unheard)

    assert started[0].returncode == -signal.SIGKILL


def test_a_decoder_that_talks_for_ever_is_ended(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _child(monkeypatch, READY + "while True: print('{\"fraction\": 0.5}', flush=True)")

    with pytest.raises(CorruptMedia, match="within 1 seconds"):
        decode(media, tmp_path, max_seconds=60, timeout_seconds=1, on_progress=unheard)


@pytest.mark.parametrize(
    "death",
    [
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "os._exit(0)",
        "print('no report at all', flush=True); time.sleep(600)",
        "print('[' * 10_000_000, flush=True); time.sleep(600)",
        "raise MemoryError",
    ],
)
def test_a_decoder_that_dies_means_corrupt_media(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    _child(monkeypatch, READY + death)

    with pytest.raises(CorruptMedia) as refusal:
        heard(media, tmp_path)

    assert "Traceback" not in refusal.value.message


def test_a_decoder_that_cannot_start_is_not_the_medias_fault(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _child(monkeypatch, "import no_such_module")

    with pytest.raises(RuntimeError, match="no_such_module"):
        heard(media, tmp_path)


def test_the_decoder_sees_no_secret(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    _child(
        monkeypatch,
        READY + "import json; os.write(int(sys.argv[3]), bytes(4)); print(json.dumps("
        "{'outcome': 'done', 'samples': 1, 'container': ' '.join(os.environ)}), flush=True)",
    )

    names = heard(media, tmp_path).container.split()

    assert "LC_ALL" in names
    assert not {"HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HOME", "PATH"} & set(names)


def test_the_decoder_dies_with_its_parent(tmp_path: Path, media: Path) -> None:
    pid_file = tmp_path / "pid"
    hanging = (
        "import sys, time, os; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import die_with\n"
        "die_with(int(sys.argv[-1]))\n"
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    program = (
        "import sys; from pathlib import Path; from pipeline import decoder_process, decoding\n"
        f"decoder_process._START = {hanging!r}\n"
        "decoding.decode(Path(sys.argv[1]), Path(sys.argv[2]), max_seconds=60,"
        " timeout_seconds=600, on_progress=lambda *_: None)"
    )
    command = [sys.executable, "-c", program, str(media), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as parent:
        child = int(_eventually(lambda: pid_file.is_file() and pid_file.read_text()) or 0)
        parent.kill()

    assert _eventually(lambda: not _is_alive(child))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent")
def test_the_kernel_is_asked_to_end_a_decoder_with_its_parent() -> None:
    program = (
        "import ctypes, os, sys; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import die_with\n"
        "die_with(os.getppid())\n"
        "sent = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(sent))\n"  # GET_PDEATHSIG
        "print(sent.value)"
    )
    command = [sys.executable, "-c", program, str(ROOT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert int(child.stdout.read()) == signal.SIGKILL


def test_the_end_of_its_input_ends_a_decoder() -> None:
    # The way that is left where the kernel cannot tell a child of its parent's death.
    program = (
        "import sys, time; sys.path.append(sys.argv[1])\n"
        "from pipeline.confinement import _exit_at_end_of_input\n"
        "import threading; threading.Thread(target=_exit_at_end_of_input, daemon=True).start()\n"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(ROOT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.close()

        assert child.wait(timeout=10) == 1


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _eventually(what: "object", *, seconds: float = 10.0) -> str | bool:
    assert callable(what)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value  # type: ignore[no-any-return] # str or bool
        time.sleep(0.05)
    return False
