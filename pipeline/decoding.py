"""Turn uploaded media into waveforms, whoever made it.

The work is done by a process that may do nothing else: pipeline/decoder_process.py.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.stages import Stage
from pipeline.channels import MAX_CHANNELS
from pipeline.clip import WHOLE, Clip
from pipeline.decoder_process import DecoderProcess
from pipeline.decoder_report import Outcome
from pipeline.decoding_outcomes import refusal, warnings_of
from pipeline.progress import OnProgress
from pipeline.waveform import Waveform
from transcript.transcript import TranscriptWarning

WAVEFORM_FILE = "waveform.f32"  # raw float32 in native byte order; further channels: waveform.1.f32


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedMedia:
    """What was heard in the media, and what was lost."""

    # One, or one for each channel, all of one length. Read-only maps of files: shape (n_samples,),
    # finite, in [-1, 1].
    waveforms: tuple[Waveform, ...]
    start: float  # where the waveforms begin, in seconds of the media's clock
    seconds: float  # where they end, or the media does before they begin
    container: str  # FFmpeg's short name, such as "mov"
    codec: str  # such as "aac"
    sample_rate: int  # Hz, before resampling
    channels: int  # before mixing down
    warnings: tuple[TranscriptWarning, ...]

    @property
    def waveform(self) -> Waveform:
        """The only waveform of media whose channels were not separated."""
        (only,) = self.waveforms
        return only


def decode(
    media: Path,
    directory: Path,
    *,
    max_seconds: float,
    timeout_seconds: float,
    on_progress: OnProgress,
    clip: Clip = WHOLE,
    separate: bool = False,
) -> DecodedMedia:
    """Decode the best sound track of a file, or a part of it, to mono at 16 kHz.

    The waveforms keep the media's clock: where sound starts late or is missing, there is silence.

    Args:
        media: any audio or video file; only this file is read, whatever it says.
        directory: gets the waveforms' files, which must outlive the result; each takes about 230 MB
            an hour.
        max_seconds: of sound in the clip; more raises TooLong, and nothing beyond it is written.
        timeout_seconds: of wall time.
        on_progress: called at least every two seconds; what it raises ends the decode.
        clip: what is before it is decoded and forgotten, for seeking is not exact in many formats;
            what is after it is not even read.
        separate: True: a waveform for each channel. Media of one channel, of more than
            MAX_CHANNELS, or whose channels are all alike still give one, and a warning.

    Raises:
        UnsupportedMedia: the bytes are no audio or video that is read here.
        NoAudioStream: a video without sound.
        CorruptMedia: nothing in it could be decoded, or decoding it failed or took too long.
        TooLong: more sound than `max_seconds`.
    """
    outputs = [directory / WAVEFORM_FILE]
    if separate:
        outputs += [directory / f"waveform.{number}.f32" for number in range(1, MAX_CHANNELS)]
    with ExitStack() as files:
        source = files.enter_context(media.open("rb"))
        targets = [files.enter_context(output.open("w+b")) for output in outputs]
        on_progress(Stage.DECODE, 0.0)  # its process takes a while to say anything
        child = DecoderProcess(
            source,
            targets,
            clip=clip,
            max_seconds=max_seconds,
            timeout_seconds=timeout_seconds,
        )
        last = files.enter_context(child).follow(on_progress)
    facts = last.facts
    written = 0 if last.outcome is not Outcome.DONE else facts.waveforms
    if facts.channels_alike:
        written = min(written, 1)
    for unused in outputs[written:]:
        unused.unlink()
    if last.outcome is not Outcome.DONE:
        raise refusal(last.outcome, max_seconds)
    on_progress(Stage.DECODE, 1.0)
    return DecodedMedia(
        waveforms=tuple(_mapped(output, facts.samples) for output in outputs[:written]),
        start=clip.start,
        seconds=facts.reached_seconds,
        container=facts.container,
        codec=facts.codec,
        sample_rate=facts.sample_rate,
        channels=facts.channels,
        warnings=warnings_of(facts, clip=clip, separate=separate),
    )


def _mapped(file: Path, samples: int) -> Waveform:
    if not samples:  # nothing cannot be mapped
        return np.zeros(0, dtype=np.float32)
    return np.memmap(file, dtype=np.float32, mode="r", shape=(samples,))
