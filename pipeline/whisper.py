"""Turn windows of sound into text with Whisper, for many jobs at once."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jobs.options import Task
from pipeline.cross_attention import Alignment
from pipeline.decoding_plan import DecodingPlan, decoding_plan
from pipeline.device import DeviceName
from pipeline.recognizing import Recognizing
from pipeline.shared_batches import SharedBatches
from pipeline.speech import WINDOW_SECONDS
from pipeline.threads import cpu_threads_of_a_pass
from pipeline.waveform import SAMPLE_RATE, Waveform
from pipeline.whisper_passes import (
    Answer,
    Asked,
    LanguageAsked,
    Sound,
    TimesAsked,
    WhisperPasses,
    batch_key,
)

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

WINDOW_SAMPLES = int(WINDOW_SECONDS * SAMPLE_RATE)  # 480000; the encoder takes no more, no less
FRAME_SAMPLES = 160  # of one frame of the spectrogram: 10 ms
_SEED = 0


def unasked() -> None:
    """Go on, whatever happens."""


class WhisperRecognizer:
    """A Whisper model that any number of threads may use at once: it keeps nothing of a call.

    What they ask of it at the same time is computed together: pipeline/shared_batches.py.
    """

    def __init__(self, model: "WhisperModel", *, name: str) -> None:
        self._whisper = model
        self._shared: SharedBatches[Asked, Answer] = SharedBatches(
            WhisperPasses(model.model).answers, key=batch_key, name="whisper"
        )
        self.name = name
        self.is_multilingual: bool = model.model.is_multilingual

    def plan(
        self,
        *,
        language: str,
        task: Task = Task.TRANSCRIBE,
        initial_prompt: str | None = None,
        hotwords: str | None = None,
        temperature: float = 0.0,
    ) -> DecodingPlan:
        """Prepare what all windows of a job have in common.

        Args:
            language: a Whisper code.
            task: what to write: the words, or their translation into English.
            initial_prompt: text that could have been said before; sets spelling and style.
            hotwords: words to expect. Of both together the last MAX_PROMPT_TOKENS are used.
            temperature: of the first try at each window, 0 to 1; 0: beam search.

        Raises:
            UnsuitableModel: the model was not trained for the language or the task.
        """
        return decoding_plan(
            self._whisper,
            name=self.name,
            language=language,
            task=task,
            initial_prompt=initial_prompt,
            hotwords=hotwords,
            temperature=temperature,
        )

    def sound(self, samples: Waveform) -> Sound:
        """Compute the spectrogram of a window, of at most WINDOW_SAMPLES."""
        # Padded as sound, as Whisper and WhisperX do; faster-whisper pads the spectrogram.
        features = self._whisper.feature_extractor(
            np.asarray(samples, dtype=np.float32), padding=WINDOW_SAMPLES - len(samples)
        )
        return Sound(frames=max(1, -(-len(samples) // FRAME_SAMPLES)), features=features)

    @contextmanager
    def recognizing(
        self, *, batch_size: int, go_on: Callable[[], None] = unasked
    ) -> Iterator[Recognizing]:
        """Let one job recognise windows for a block.

        Args:
            batch_size: windows in one pass, those of other jobs included.
            go_on: as in `Recognizing`.
        """
        with self._shared.line(most=batch_size) as line:
            yield Recognizing(line, go_on)

    def language_probabilities(
        self, sound: Sound, *, batch_size: int = 1, go_on: Callable[[], None] = unasked
    ) -> dict[str, float]:
        """Judge the language of a window: the probability of every language code.

        Args:
            sound: can be recognised afterwards without another pass of the encoder.
            batch_size: windows in one pass, those of other jobs included.
            go_on: asked every TELL_SECONDS; what it raises leaves this call.
        """
        with self._shared.line(most=batch_size) as line:
            line.put([LanguageAsked(sound=sound)])
            _, found = line.take(go_on)
        assert isinstance(found, dict)  # noqa: S101  # what is answered to such a question
        return found

    def align(
        self, samples: Sequence[Waveform], plan: DecodingPlan, texts: Sequence[Sequence[int]]
    ) -> list[Alignment | None]:
        """Align texts that are already known with their windows; None where a text is empty.

        Args:
            samples: windows, each at most WINDOW_SAMPLES.
            plan: the language and task that the texts were written with.
            texts: one for each window: its text tokens.
        """
        found: list[Alignment | None] = []
        with self._shared.line(most=1) as line:
            for each, text in zip(samples, texts, strict=True):
                line.put([TimesAsked(sound=self.sound(each), plan=plan, tokens=tuple(text))])
                _, answer = line.take(unasked)
                found.append(answer if isinstance(answer, Alignment) else None)
        return found


def load_whisper(
    path: Path,
    *,
    name: str,
    device: DeviceName = "cpu",
    compute_type: str = "int8",
    cpu_threads: int = 0,
) -> WhisperRecognizer:
    """Load a Whisper model for good.

    Args:
        path: a folder in CTranslate2's format, with its tokenizer; nothing is downloaded.
        name: what the model is called, for messages and transcripts.
        device: where it computes.
        compute_type: CTranslate2's number format.
        cpu_threads: of one pass on the CPU; 0: as many as there are cores, at most four, or
            OMP_NUM_THREADS.
    """
    import ctranslate2
    from faster_whisper import WhisperModel

    # Samples at temperatures above 0 are the same in the same process after the same calls.
    ctranslate2.set_random_seed(_SEED)
    model = WhisperModel(
        str(path),
        device=device,
        compute_type=compute_type,
        cpu_threads=cpu_threads or cpu_threads_of_a_pass(),
    )
    return WhisperRecognizer(model, name=name)
