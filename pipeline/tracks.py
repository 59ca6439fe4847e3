"""Open a container, choose its sound track, and read what its header promises."""

from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.containers import DEMUXERS, EXACT_DURATIONS, is_known
from pipeline.decoder_report import Ended, Facts, Outcome

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_MICROSECONDS = Fraction(1, 1_000_000)  # libavformat's unit (AV_TIME_BASE)


def opened(media: int, head: bytes) -> "InputContainer":
    """Open the media behind a file descriptor; FFmpeg can reach nothing else.

    Raises:
        Ended: it is no container that is opened here, or a broken one.
    """
    import av

    try:
        return av.open(
            "fd:",
            options={
                "fd": str(media),
                "protocol_whitelist": "fd",
                "format_whitelist": ",".join(DEMUXERS),
            },
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        outcome = Outcome.UNREADABLE if is_known(head) else Outcome.UNKNOWN
        raise Ended(outcome) from error


def sound_of(container: "InputContainer") -> "AudioStream":
    """Choose the track a player would; skip what else the container holds.

    Raises:
        Ended: there is no sound, or none that this build of FFmpeg reads.
    """
    from av.stream import Discard

    tracks = container.streams.audio
    if not tracks:
        raise Ended(Outcome.NO_AUDIO)
    best = container.streams.best("audio")
    readable = [track for track in tracks if track.codec_context is not None]
    if not readable:
        raise Ended(Outcome.NO_DECODER)
    chosen = next((track for track in readable if track is best), readable[0])
    chosen.codec_context.thread_count = 1  # a worker decodes several files at once
    for other in container.streams:
        if other.index != chosen.index:
            # A film's pictures are not even read, where that can be helped.
            other.discard = Discard.all
    return chosen


def describe(container: "InputContainer", stream: "AudioStream", facts: Facts) -> None:
    """Note what the header says."""
    facts.container = container.format.name.split(",")[0]
    facts.codec = stream.codec_context.codec.canonical_name
    facts.sample_rate = stream.codec_context.sample_rate
    facts.channels = stream.codec_context.channels
    if facts.container in EXACT_DURATIONS:
        facts.expected_seconds = _promised(container, stream)


def _promised(container: "InputContainer", stream: "AudioStream") -> float | None:
    """How long the header says this track is, in seconds; None: it does not say."""
    whole = container.duration * _MICROSECONDS if container.duration else None
    if stream.duration and stream.time_base:
        track = stream.duration * stream.time_base
        return float(min(track, whole) if whole else track)  # less by what an edit list leaves out
    only_sound = all(other.type == "audio" for other in container.streams)
    return float(whole) if whole and only_sound else None  # of the longest track


def is_surely_longer(
    stream: "AudioStream", seconds: float | None, limit: float, *, media_bytes: int
) -> bool:
    """Whether a header's duration is over the limit (seconds) and can be believed.

    It can for PCM whose bytes are all there. Of compressed sound, only decoding tells: headers
    of streams and of cut recordings are wrong in both directions.
    """
    if seconds is None or not stream.codec_context.codec.canonical_name.startswith("pcm_"):
        return False
    whole = seconds * (stream.codec_context.bit_rate or 0) / 8 <= media_bytes
    return whole and seconds > limit


def origin(container: "InputContainer", stream: "AudioStream") -> float | None:
    """The timestamp at which a player's clock stands at zero, in seconds."""
    if container.start_time is not None:
        return float(container.start_time * _MICROSECONDS)
    if stream.start_time is not None and stream.time_base:
        return float(stream.start_time * stream.time_base)
    return None
