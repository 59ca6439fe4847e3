"""Keep the waveform's clock that of the media: silence where the media has a hole.

A word's time is its place in the waveform. Where the sound starts late, or packets are missing,
the timestamps say so, and silence takes the place of what is not there. Sound is never dropped,
and nothing is ever stretched.
"""

TOLERANCE_SECONDS = 0.1  # timestamps of AVI, ASF and FLV waver by some 50 ms
START_TOLERANCE_SECONDS = 0.005
REWIND_SECONDS = 1.0  # this far back, a second recording was appended or the clock was reset
LEAP_SECONDS = 3600.0  # no pause in one recording: a clock that was reset


class Timeline:
    """Turns timestamps into silence, frame by frame."""

    def __init__(self, *, origin: float | None) -> None:
        """Start at the media's own zero (seconds); None: at the first timestamp."""
        self._shift = None if origin is None else -origin  # seconds to add to a timestamp
        self._clock = 0.0  # where the next frame is due, in seconds from the start of the media
        self._began = False
        self.resets = 0  # how often the timestamps broke
        self.hole_seconds = 0.0  # silence within the sound, in all; not what precedes it

    @property
    def seconds(self) -> float:
        """Where the last frame ended."""
        return self._clock

    def silence_before(self, timestamp: float | None, duration: float) -> float:
        """Note a frame and tell how much silence is due before it.

        Args:
            timestamp: of the frame, in seconds; None: it has none and follows the last one.
            duration: of the frame, in seconds.

        Returns:
            Seconds, 0 in most cases.
        """
        silence = 0.0
        if timestamp is not None:
            if self._shift is None:
                self._shift = self._clock - timestamp
            ahead = timestamp + self._shift - self._clock
            tolerance = TOLERANCE_SECONDS if self._began else START_TOLERANCE_SECONDS
            if ahead > LEAP_SECONDS or ahead < -REWIND_SECONDS:
                self._shift -= ahead
                self.resets += 1
            elif ahead > tolerance:
                silence = ahead
                self.hole_seconds += ahead if self._began else 0.0
        self._began = True
        self._clock += silence + duration
        return silence
