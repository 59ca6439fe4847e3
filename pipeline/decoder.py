"""Decode one file inside a process of its own; started by pipeline/decoding.py.

Reads the media from one file descriptor and writes raw float32 samples to another, as it goes,
so its memory does not grow with the file. What it reports: pipeline/decoder_report.py.
"""

import importlib
import os
import pkgutil
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.confinement import confine, die_with
from pipeline.containers import HEAD_BYTES, declared_bytes, is_known
from pipeline.decoder_report import Ended, Facts, Outcome, report
from pipeline.recording import ClipEnded, Recording
from pipeline.resampling import CHUNK_SAMPLES, Resampler
from pipeline.timeline import Timeline
from pipeline.tracks import describe, is_surely_longer, opened, origin, sound_of
from pipeline.waveform import SAMPLE_RATE
from pipeline.waveform_file import BYTES_PER_SAMPLE, WaveformFile, WaveformFull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

REPORT_SECONDS = 0.5
BAD_PACKETS_IN_A_ROW = 1000  # after so many, the rest is given up
RATES_HZ = range(1_000, 768_001)  # what a recorder may claim; anything else is a damaged header


def main() -> None:
    """Run with MEDIA_FD OUTPUT_FDS MAX_SAMPLES CLIP_START CLIP_END CPU_SECONDS PARENT_PID.

    OUTPUT_FDS: one, or, separated by commas, as many as channels may be separated. CLIP_START and
    CLIP_END: samples of the media's clock; CLIP_END 0: to its end.
    """
    outputs = [int(each) for each in sys.argv[-6].split(",")]
    media, max_samples, start, end, cpu_seconds, parent = (
        int(value) for value in (sys.argv[-7], *sys.argv[-5:])
    )
    die_with(parent)
    _import_all()
    confine(
        cpu_seconds=cpu_seconds,
        output_bytes=(max_samples + CHUNK_SAMPLES) * BYTES_PER_SAMPLE,
        spare_files=1,  # FFmpeg duplicates the descriptor of the media
    )
    report(ready=True)
    files = [WaveformFile(output, max_samples=max_samples) for output in outputs]
    facts = Facts()
    try:
        decode(media, Recording(files, start=start, end=end or None), facts)
        outcome = Outcome.DONE
    except Ended as ended:
        outcome = ended.outcome
    except WaveformFull:
        outcome = Outcome.TOO_LONG
    except MemoryError:  # an index that claims more than the limit
        outcome = Outcome.UNREADABLE
    report(outcome=outcome, **asdict(facts))


def _import_all() -> None:
    """Import what decoding may need while files can still be opened; PyAV imports as it goes."""
    import av
    import numpy as np  # noqa: F401 - as said

    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    av.logging.set_level(None)


def decode(media: int, output: Recording, facts: Facts) -> None:
    """Decode the best sound track of a file, and note what is found on the way.

    Raises:
        Ended: the file gave no sound.
        WaveformFull: it holds more than `output` may.
    """
    head, size = os.pread(media, HEAD_BYTES, 0), os.fstat(media).st_size
    container = opened(media, head)
    stream = sound_of(container)
    describe(container, stream, facts)
    if output.end is None and is_surely_longer(
        stream, facts.expected_seconds, output.max_samples / SAMPLE_RATE, media_bytes=size
    ):
        raise Ended(Outcome.TOO_LONG)
    output.separate(facts.channels)
    track = _Track(media, size, container, stream, output, facts)
    try:
        track.decode()
    finally:
        _describe_output(output, facts)
    if not output.position:  # of noise too FFmpeg believes at times that it holds a frame
        raise Ended(Outcome.UNREADABLE if is_known(head) else Outcome.UNKNOWN)
    declared = declared_bytes(head)
    if not facts.clip_ended and declared is not None and declared > size:
        facts.expected_seconds = facts.reached_seconds * declared / size


def _describe_output(output: Recording, facts: Facts) -> None:
    facts.waveforms, facts.channels_alike = output.n_channels, output.is_alike
    facts.samples, facts.invalid_samples = output.samples, output.invalid_samples
    facts.reached_seconds = output.position / SAMPLE_RATE


class _Track:
    """One sound track on its way to the waveform."""

    def __init__(
        self,
        media: int,
        size: int,
        container: "InputContainer",
        stream: "AudioStream",
        output: Recording,
        facts: Facts,
    ) -> None:
        self._media, self._size = media, size
        self._container, self._stream = container, stream
        self._output, self._resampler = output, Resampler(output)
        self._facts = facts
        self._timeline = Timeline(origin=origin(container, stream))
        self._reported = 0.0

    def decode(self) -> None:
        """Decode to the end of the media, or of what is asked for.

        Raises:
            WaveformFull: there is more than the recording may hold.
        """
        try:
            self._decode()
        except ClipEnded:
            self._facts.clip_ended = True
        finally:
            self._facts.clock_resets = self._timeline.resets
            self._facts.hole_seconds = self._timeline.hole_seconds

    def _decode(self) -> None:
        import av

        bad = 0
        packets = self._container.demux(self._stream)
        while bad < BAD_PACKETS_IN_A_ROW:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # the container is damaged here, or its file was cut off
                self._facts.broken_off = True
                self._take(self._rest())
                break
            if packet is None:
                break
            try:
                self._take(packet.decode())
                bad = 0
            except av.FFmpegError:
                self._facts.lost_seconds += _length(packet)
                bad += 1
            self._report()
        else:
            self._facts.broken_off = True
        self._resampler.flush()

    def _take(self, frames: "Sequence[AudioFrame]") -> None:
        for frame in frames:
            if frame.sample_rate not in RATES_HZ:
                raise Ended(Outcome.UNREADABLE)
            duration = frame.samples / frame.sample_rate
            if self._timeline.silence_before(frame.time, duration):
                self._resampler.flush()
                begin = self._timeline.seconds - duration
                self._output.silence_until(round(begin * SAMPLE_RATE))
            self._resampler.push(frame)

    def _rest(self) -> "Sequence[AudioFrame]":
        """What the decoder still holds when no more packets come."""
        import av

        try:
            return self._stream.codec_context.decode(None)
        except av.FFmpegError:
            return ()

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        if self._facts.expected_seconds:
            last = min(self._facts.expected_seconds, self._output.max_samples / SAMPLE_RATE)
            fraction = self._timeline.seconds / last
        else:  # FFmpeg's descriptor shares its position with ours
            fraction = os.lseek(self._media, 0, os.SEEK_CUR) / max(1, self._size)
        report(fraction=min(1.0, max(0.0, fraction)))


def _length(packet: "Packet[AudioStream]") -> float:
    return float(packet.duration * packet.time_base) if packet.duration else 0.0
