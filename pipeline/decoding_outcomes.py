"""Say in a client's words how a decode ended."""

from jobs.errors import CorruptMedia, MediaError, NoAudioStream, TooLong, UnsupportedMedia
from jobs.stages import Stage
from pipeline.channels import MAX_CHANNELS
from pipeline.clip import WHOLE, Clip
from pipeline.decoder_report import Facts, Outcome
from pipeline.waveform import SAMPLE_RATE
from transcript.transcript import TranscriptWarning

MISSING_SECONDS = 1.0  # less than this is padding and rounding, not damage
MISSING_SHARE = 0.02  # of what the header promises
LOST_SECONDS = 0.2  # of broken packets; a cut recording often begins and ends with one


def refusal(outcome: Outcome | None, max_seconds: float) -> MediaError:
    """Make the error that a client meets of an outcome that gave no sound."""
    match outcome:
        case Outcome.UNKNOWN:
            return UnsupportedMedia(
                "this is no audio or video file that can be read here: send for example MP3, "
                "WAV, FLAC, M4A, OGG, MP4, MKV or WebM (playlists and images are not media)"
            )
        case Outcome.NO_DECODER:
            return UnsupportedMedia(
                "the sound is stored in a codec that cannot be read here: convert it to a "
                "common format such as FLAC or MP3"
            )
        case Outcome.NO_AUDIO:
            return NoAudioStream("the media has no sound track: send one that has")
        case Outcome.TOO_LONG:
            return TooLong(
                f"the media holds more than {max_seconds / 3600:.3g} hours of sound, "
                "which is the limit: send it in parts, or ask for a part (clip_start, clip_end)"
            )
        case _:
            return CorruptMedia(
                "the media is damaged or incomplete, and no sound could be decoded: check that "
                "it plays, and that it was uploaded whole"
            )


def warnings_of(
    facts: Facts, *, clip: Clip = WHOLE, separate: bool = False
) -> tuple[TranscriptWarning, ...]:
    """Tell what a decode that gave sound has lost, or could not do.

    Args:
        facts: as the decoder reported them.
        clip: the part that was asked for.
        separate: True: each channel was to have its own waveform.
    """
    found = {
        "damaged_media": _damage(facts),
        "holes_in_media": _holes(facts),
        "invalid_samples": _invalid_samples(facts),
        "clip_outside_media": _outside(facts, clip),
        "channels_not_separate": _not_separate(facts) if separate else None,
    }
    return tuple(
        TranscriptWarning(code=code, stage=Stage.DECODE, message=message)
        for code, message in found.items()
        if message is not None
    )


def _damage(facts: Facts) -> str | None:
    seconds, expected = facts.reached_seconds, facts.expected_seconds or 0.0
    found = []
    missing = 0.0 if facts.clip_ended else expected - seconds
    if missing > max(MISSING_SECONDS, MISSING_SHARE * expected):
        found.append(f"only {seconds:.1f} of {expected:.1f} seconds could be decoded")
    elif facts.broken_off:
        found.append(f"nothing could be read after the first {seconds:.1f} seconds")
    if facts.lost_seconds > LOST_SECONDS:
        found.append(f"{facts.lost_seconds:.1f} seconds inside it are damaged and were left out")
    if facts.clock_resets:
        found.append(
            f"its timestamps break {facts.clock_resets} times, so times may differ from a player's"
        )
    if not found:
        return None
    return f"The media is damaged: {'; '.join(found)}. Check that it was uploaded whole."


def _holes(facts: Facts) -> str | None:
    holes = facts.hole_seconds - facts.lost_seconds  # muted recorders store nothing for a while
    if holes <= MISSING_SECONDS:
        return None
    return (
        f"The media holds no sound for {holes:.1f} seconds in its middle, by its timestamps; "
        "silence stands in their place. If it should not, check that it was uploaded whole."
    )


def _invalid_samples(facts: Facts) -> str | None:
    if not facts.invalid_samples:
        return None
    seconds = max(0.001, facts.invalid_samples / SAMPLE_RATE)
    return (
        f"{seconds:.3f} seconds of the media are no sound but invalid numbers (NaN or infinite); "
        "silence stands in their place. Check the program that wrote it."
    )


def _outside(facts: Facts, clip: Clip) -> str | None:
    if facts.samples:
        return None
    return (
        f"The media is {facts.reached_seconds:.1f} seconds long and the clip starts at "
        f"{clip.start:g}: there was nothing to transcribe. Check clip_start."
    )


def _not_separate(facts: Facts) -> str | None:
    if not facts.samples:
        return None
    if facts.channels > MAX_CHANNELS:
        why = f"it has {facts.channels}, and at most {MAX_CHANNELS} are separated"
    elif facts.waveforms == 1:
        why = "it has only one"
    elif facts.channels_alike:
        why = f"all {facts.channels} hold the same sound"
    else:
        return None
    return f"The channels of the media were not transcribed separately: {why}."
