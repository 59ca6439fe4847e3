"""Fix what the decoder's process tells the one that started it.

One JSON object a line on standard output:

    {"ready": true}                      imports are done, limits are set
    {"fraction": 0.25}                   about every half second, while frames arrive
    {"outcome": "done", ...Facts}        the last line
"""

import json
import os
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a decode ended."""

    DONE = "done"  # some sound was decoded; the facts say how much is missing
    UNKNOWN = "unknown"  # the bytes are no container that is opened here
    UNREADABLE = "unreadable"  # a known container, but broken, or nothing in it decodes
    NO_AUDIO = "no_audio"  # a container without a sound track
    NO_DECODER = "no_decoder"  # a sound track in a codec that this build cannot read
    TOO_LONG = "too_long"  # the limit was reached


@dataclass(slots=True, kw_only=True)
class Facts:
    """What was found out; sent with the outcome."""

    container: str = ""
    codec: str = ""
    sample_rate: int = 0  # Hz, of the media
    channels: int = 0  # of the media
    waveforms: int = 1  # written; more than one: a waveform for each channel
    channels_alike: bool = False  # of several waveforms: they say the same
    samples: int = 0  # written, to each waveform
    reached_seconds: float = 0.0  # where decoding ended, on the media's clock
    clip_ended: bool = False  # decoding stopped at the end of the clip, before that of the media
    invalid_samples: int = 0  # that were no numbers; silence stands there
    expected_seconds: float | None = None  # what the header promises
    lost_seconds: float = 0.0  # in packets that did not decode
    broken_off: bool = False  # reading ended before the end of the file
    clock_resets: int = 0  # how often the timestamps broke
    hole_seconds: float = 0.0  # for which the media holds no sound; silence stands there


class Ended(Exception):
    """There is nothing more to decode."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def report(**what: object) -> None:
    """Tell the parent."""
    os.write(1, json.dumps(what).encode() + b"\n")
