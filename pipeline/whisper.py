"""Turn windows of sound into text with Whisper, for many jobs at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.options import Task
from pipeline.cross_attention import Alignment, alignment_of
from pipeline.decoding_plan import MAX_TOKENS, DecodingPlan, decoding_plan
from pipeline.device import DeviceName
from pipeline.fallback import Decoding, best_of, needs_another_try, temperatures_above
from pipeline.speech import WINDOW_SECONDS
from pipeline.waveform import SAMPLE_RATE, Waveform

if TYPE_CHECKING:
    import ctranslate2
    from faster_whisper import WhisperModel

WINDOW_SAMPLES = int(WINDOW_SECONDS * SAMPLE_RATE)  # 480000; the encoder takes no more, no less
FRAME_SAMPLES = 160  # of one frame of the spectrogram: 10 ms
BEAM_SIZE = 5  # Whisper's and WhisperX's default
BEST_OF = 5  # samples drawn at a temperature above 0
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One window to recognise."""

    samples: Waveform  # at most WINDOW_SAMPLES
    plan: DecodingPlan
    with_times: bool = False  # True: align the tokens, from the same encoder output


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What was recognised in one window."""

    decoding: Decoding
    alignment: Alignment | None  # None: not asked for, or there is no text


def unasked() -> None:
    """Go on, whatever happens."""


class WhisperRecognizer:
    """A Whisper model that any number of threads may use at once: it keeps nothing of a call."""

    def __init__(self, model: "WhisperModel", *, name: str) -> None:
        self._whisper = model
        self._model: Any = model.model
        self.name = name
        self.is_multilingual: bool = self._model.is_multilingual

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

    def recognize(
        self, batch: Sequence[Request], go_on: Callable[[], None] = unasked
    ) -> list[Recognition]:
        """Recognise windows, of one job or of many.

        Requests whose plans have the same `batch_key` are computed together. A text that Whisper
        doubts itself is tried again alone, at rising temperatures.

        Args:
            batch: windows.
            go_on: asked before each pass of the decoder, of which a doubtful batch takes many;
                what it raises leaves this call.

        Returns:
            One for each request, in their order.
        """
        recognitions: dict[int, Recognition] = {}
        alike: dict[tuple[int, int, float], list[int]] = {}
        for index, request in enumerate(batch):
            alike.setdefault(request.plan.batch_key, []).append(index)
        for indices in alike.values():
            found = self._recognize_alike([batch[index] for index in indices], go_on)
            recognitions.update(zip(indices, found, strict=True))
        return [recognitions[index] for index in range(len(batch))]

    def language_probabilities(self, samples: Sequence[Waveform]) -> list[dict[str, float]]:
        """Judge the language of windows: for each, the probability of every language code."""
        found = self._model.detect_language(self._encode(samples))
        # A language comes as its token, such as <|en|>.
        return [{token[2:-2]: probability for token, probability in each} for each in found]

    def align(
        self, samples: Sequence[Waveform], plan: DecodingPlan, texts: Sequence[Sequence[int]]
    ) -> list[Alignment | None]:
        """Align texts that are already known with their windows; None where a text is empty.

        Args:
            samples: windows, each at most WINDOW_SAMPLES.
            plan: the language and task that the texts were written with.
            texts: one for each window: its text tokens.
        """
        return self._align(
            self._encode(samples), [len(each) for each in samples], plan.start, texts
        )

    def _recognize_alike(
        self, batch: Sequence[Request], go_on: Callable[[], None]
    ) -> list[Recognition]:
        encoded = self._encode([request.samples for request in batch])
        plans = [request.plan for request in batch]
        go_on()
        # Alike is also their temperature.
        decodings = self._generate(encoded, plans, temperature=plans[0].temperature)
        for index, decoding in enumerate(decodings):
            if needs_another_try(decoding):
                decodings[index] = self._tried_again(
                    decoding, plans[index], _rows(encoded, [index]), go_on
                )
        alignments: list[Alignment | None] = [None] * len(batch)
        # One call of `align` takes one start sequence.
        for start in {request.plan.start for request in batch if request.with_times}:
            indices = [
                index
                for index, request in enumerate(batch)
                if request.with_times and request.plan.start == start
            ]
            rows = encoded if len(indices) == len(batch) else _rows(encoded, indices)
            found = self._align(
                rows,
                [len(batch[index].samples) for index in indices],
                start,
                [decodings[index].tokens for index in indices],
            )
            for index, alignment in zip(indices, found, strict=True):
                alignments[index] = alignment
        return [
            Recognition(decoding=decoding, alignment=alignment)
            for decoding, alignment in zip(decodings, alignments, strict=True)
        ]

    def _encode(self, samples: Sequence[Waveform]) -> "ctranslate2.StorageView":
        features = [
            # Padded as sound, as Whisper and WhisperX do; faster-whisper pads the spectrogram.
            self._whisper.feature_extractor(
                np.asarray(each, dtype=np.float32), padding=WINDOW_SAMPLES - len(each)
            )
            for each in samples
        ]
        return self._whisper.encode(np.stack(features))

    def _generate(
        self,
        encoded: "ctranslate2.StorageView",
        plans: Sequence[DecodingPlan],
        *,
        temperature: float,
    ) -> list[Decoding]:
        search: dict[str, Any] = {"beam_size": BEAM_SIZE}
        if temperature > 0:
            search = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,  # from all tokens
                "sampling_temperature": temperature,
            }
        results = self._model.generate(
            encoded,
            [list(plan.prompt) for plan in plans],
            max_length=MAX_TOKENS,
            suppress_tokens=list(plans[0].suppressed),  # the same for all plans of a model
            return_scores=True,
            return_no_speech_prob=True,
            **search,
        )
        decodings = []
        for result, plan in zip(results, plans, strict=True):
            tokens = result.sequences_ids[0]
            text = tuple(token for token in tokens if token < plan.tokenizer.eot)
            decodings.append(
                Decoding(
                    tokens=text,
                    text=plan.tokenizer.decode(list(text)),
                    # CTranslate2 divides by the tokens it returns; the end of text counts as well.
                    avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
                    no_speech_prob=result.no_speech_prob,
                    temperature=temperature,
                )
            )
        return decodings

    def _tried_again(
        self,
        first: Decoding,
        plan: DecodingPlan,
        encoded: "ctranslate2.StorageView",
        go_on: Callable[[], None],
    ) -> Decoding:
        tries = [first]
        for temperature in temperatures_above(plan.temperature):
            go_on()
            tries += self._generate(encoded, [plan], temperature=temperature)
            if not needs_another_try(tries[-1]):
                return tries[-1]
        return best_of(tries)

    def _align(
        self,
        encoded: "ctranslate2.StorageView",
        lengths: Sequence[int],
        start: tuple[int, ...],
        texts: Sequence[Sequence[int]],
    ) -> list[Alignment | None]:
        frames = [max(1, -(-length // FRAME_SAMPLES)) for length in lengths]
        results = self._model.align(encoded, list(start), [list(text) for text in texts], frames)
        return [
            alignment_of(result) if text else None
            for result, text in zip(results, texts, strict=True)
        ]


def _rows(encoded: "ctranslate2.StorageView", indices: Sequence[int]) -> "ctranslate2.StorageView":
    """Take some windows out of an encoded batch; CTranslate2 itself cannot.

    By way of the CPU and float32, which numpy has; CTranslate2 moves them back where it computes.
    """
    import ctranslate2

    on_cpu = encoded.to_device(ctranslate2.Device.cpu).to(ctranslate2.DataType.float32)
    chosen = np.ascontiguousarray(np.asarray(on_cpu)[list(indices)])
    return ctranslate2.StorageView.from_array(chosen)


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
        cpu_threads: of one pass on the CPU; 0: CTranslate2's choice, four or OMP_NUM_THREADS.
    """
    import ctranslate2
    from faster_whisper import WhisperModel

    # Samples at temperatures above 0 are the same in the same process after the same calls.
    ctranslate2.set_random_seed(_SEED)
    model = WhisperModel(
        str(path), device=device, compute_type=compute_type, cpu_threads=cpu_threads
    )
    return WhisperRecognizer(model, name=name)
