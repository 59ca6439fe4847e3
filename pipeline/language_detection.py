"""Find which language is spoken."""

from collections import defaultdict
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.stages import Stage
from pipeline.progress import OnProgress, unheard
from pipeline.speech import Window
from pipeline.waveform import Waveform
from pipeline.windows import samples_of

if TYPE_CHECKING:
    from pipeline.whisper import WhisperRecognizer
    from pipeline.whisper_passes import Sound

MOST_WINDOWS = 5  # each costs one pass of the encoder
SURE = 0.9  # mean probability at which two windows are enough


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedLanguage:
    """The language that most of the speech is in."""

    code: str  # a Whisper code, such as "en"
    probability: float | None  # 0 to 1; None: the model knows this language only


def detect_language(
    waveform: Waveform,
    windows: Sequence[Window],
    recognizer: "WhisperRecognizer",
    *,
    on_progress: OnProgress = unheard,
    after: float = 0.05,
    batch_size: int = 1,
    sounds: "MutableMapping[Window, Sound] | None" = None,
) -> DetectedLanguage:
    """Listen to a few windows of speech, spread over the media.

    Not to its first 30 seconds, which may be music, silence, or a greeting in another language.
    The windows' probabilities are averaged, weighted by how much speech is in each.

    Args:
        waveform: of the whole media.
        windows: where somebody speaks; at least one.
        recognizer: an English model answers without listening.
        on_progress: asked before each window whether anybody still wants to know.
        after: share of Stage.TRANSCRIBE that was done before this call, 0 to 1.
        batch_size: windows in one pass of Whisper, those of other jobs included.
        sounds: gets those that were listened to, so that the encoder need not hear them again.

    Raises:
        ValueError: there is no window.
    """
    if not windows:
        msg = "no language can be detected where nobody speaks"
        raise ValueError(msg)
    if not recognizer.is_multilingual:
        return DetectedLanguage(code="en", probability=None)
    sums: defaultdict[str, float] = defaultdict(float)
    weight = 0.0
    for count, window in enumerate(_spread(windows), start=1):
        on_progress(Stage.TRANSCRIBE, after)
        sound = recognizer.sound(samples_of(waveform, window))
        probabilities = recognizer.language_probabilities(
            sound,
            batch_size=batch_size,
            go_on=lambda: on_progress(Stage.TRANSCRIBE, after),
        )
        if sounds is not None:
            sounds[window] = sound
        seconds = sum(span.end - span.start for span in window.spans)
        for code, probability in probabilities.items():
            sums[code] += seconds * probability
        weight += seconds
        if count > 1 and max(sums.values()) / weight >= SURE:
            break
    code = max(sums, key=lambda each: sums[each])
    return DetectedLanguage(code=code, probability=min(1.0, sums[code] / weight))


def _spread(windows: Sequence[Window]) -> list[Window]:
    """Choose windows from all over; the ones far apart first, so that two say most."""
    count = min(MOST_WINDOWS, len(windows))
    indices = [(2 * part + 1) * len(windows) // (2 * count) for part in range(count)]
    middle = len(indices) // 2
    return [windows[index] for index in indices[middle:] + indices[:middle]]
