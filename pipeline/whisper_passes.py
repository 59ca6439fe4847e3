"""Ask CTranslate2's Whisper what may be asked of several windows at once."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.cross_attention import Alignment, alignment_of
from pipeline.decoding_plan import MAX_TOKENS, DecodingPlan
from pipeline.encoded import Encoded, joined
from pipeline.fallback import Decoding, needs_another_try

BEAM_SIZE = 5  # Whisper's and WhisperX's default
BEST_OF = 5  # samples drawn at a temperature above 0


@dataclass(slots=True, kw_only=True)
class Sound:
    """What Whisper hears of one window; it goes through the encoder once, whatever is asked."""

    frames: int  # of the spectrogram, 10 ms each, that are no padding; at least 1
    features: npt.NDArray[np.float32] | None  # shape (n_mels, 3000); None: encoded
    encoded: Encoded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageAsked:
    """What language is this? The answer: the probability of every language code."""

    sound: Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAsked:
    """What is said here? The answer: a `Try`."""

    sound: Sound
    plan: DecodingPlan
    temperature: float  # 0: beam search
    with_times: bool  # True: align the tokens as well, unless the text is to be tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesAsked:
    """Where are these words? The answer: an `Alignment`, or None where there is no text."""

    sound: Sound
    plan: DecodingPlan
    tokens: tuple[int, ...]  # of the text alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """What was recognised in one try at a window."""

    decoding: Decoding
    alignment: Alignment | None  # None: not asked for, no text, or one to be tried again


Asked: TypeAlias = LanguageAsked | TextAsked | TimesAsked
Answer: TypeAlias = dict[str, float] | Try | Alignment | None


def batch_key(asked: Asked) -> Hashable:
    """Say what may be asked together."""
    match asked:
        case LanguageAsked():
            return LanguageAsked
        case TextAsked():
            return TextAsked, asked.plan.batch_key, asked.temperature
        case TimesAsked():
            return TimesAsked, asked.plan.start


class WhisperPasses:
    """What one model answers; used by one thread at a time.

    On the CPU every window has the same answer in any company: CTranslate2's sums over one row do
    not depend on the others, save where it pads texts in order to align them, so each is aligned
    alone there. A GPU picks its kernels by the size of the batch, which may change the last digit.

    Args:
        model: a `ctranslate2.models.Whisper`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        # Nothing is gained by company on a CPU where one window keeps all cores busy. Measured on
        # two cores with `base`: the encoder takes 0.58 s of CPU time for a window alone, 0.75 s
        # for one among eight; aligning, 0.04 s and 0.10 s.
        self._one_by_one = model.device == "cpu"

    def answers(self, batch: Sequence[Asked]) -> list[Answer]:
        """Answer questions of one `batch_key`, in their order."""
        match batch[0]:
            case LanguageAsked():
                encoded = joined(self._encoded([asked.sound for asked in batch]))
                found = self._model.detect_language(encoded)
                # A language comes as its token, such as <|en|>.
                return [{token[2:-2]: share for token, share in each} for each in found]
            case TextAsked():
                return [*self._tries([each for each in batch if isinstance(each, TextAsked)])]
            case TimesAsked():
                return [*self._alignments([each for each in batch if isinstance(each, TimesAsked)])]

    def _encoded(self, sounds: Sequence[Sound]) -> list[Encoded]:
        fresh = [(sound, sound.features) for sound in sounds if sound.features is not None]
        together = 1 if self._one_by_one else max(1, len(fresh))
        for first in range(0, len(fresh), together):
            some = fresh[first : first + together]
            batch = self._model.encode(_storage(np.stack([features for _, features in some])))
            for row, (sound, _) in enumerate(some):
                sound.encoded, sound.features = Encoded(batch=batch, row=row), None
        return [sound.encoded for sound in sounds if sound.encoded is not None]

    def _tries(self, batch: Sequence[TextAsked]) -> list[Try]:
        decodings = self._decodings(batch)
        timed = [
            index
            for index, (asked, decoding) in enumerate(zip(batch, decodings, strict=True))
            if asked.with_times and not needs_another_try(decoding)
        ]
        alignments: list[Alignment | None] = [None] * len(batch)
        # One call takes one start sequence.
        for start in {batch[index].plan.start for index in timed}:
            mine = [index for index in timed if batch[index].plan.start == start]
            asked_times = [
                TimesAsked(
                    sound=batch[index].sound,
                    plan=batch[index].plan,
                    tokens=decodings[index].tokens,
                )
                for index in mine
            ]
            for index, alignment in zip(mine, self._alignments(asked_times), strict=True):
                alignments[index] = alignment
        return [
            Try(decoding=decoding, alignment=alignment)
            for decoding, alignment in zip(decodings, alignments, strict=True)
        ]

    def _decodings(self, batch: Sequence[TextAsked]) -> list[Decoding]:
        temperature = batch[0].temperature
        search: dict[str, Any] = {"beam_size": BEAM_SIZE}
        if temperature > 0:
            search = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,  # from all tokens
                "sampling_temperature": temperature,
            }
        results = self._model.generate(
            joined(self._encoded([asked.sound for asked in batch])),
            [list(asked.plan.prompt) for asked in batch],
            max_length=MAX_TOKENS,
            suppress_tokens=list(batch[0].plan.suppressed),  # the same for all plans of a model
            return_scores=True,
            return_no_speech_prob=True,
            **search,
        )
        return [
            _decoding(result, asked.plan, temperature)
            for result, asked in zip(results, batch, strict=True)
        ]

    def _alignments(self, batch: Sequence[TimesAsked]) -> list[Alignment | None]:
        together = 1 if self._one_by_one else max(1, len(batch))
        alignments: list[Alignment | None] = []
        for first in range(0, len(batch), together):
            some = batch[first : first + together]
            results = self._model.align(
                joined(self._encoded([asked.sound for asked in some])),
                list(some[0].plan.start),
                [list(asked.tokens) for asked in some],
                [asked.sound.frames for asked in some],
            )
            alignments += [
                alignment_of(result) if asked.tokens else None
                for result, asked in zip(results, some, strict=True)
            ]
        return alignments


def _storage(features: npt.NDArray[np.float32]) -> Any:
    import ctranslate2

    return ctranslate2.StorageView.from_array(np.ascontiguousarray(features))


def _decoding(result: Any, plan: DecodingPlan, temperature: float) -> Decoding:
    tokens = result.sequences_ids[0]
    text = tuple(token for token in tokens if token < plan.tokenizer.eot)
    return Decoding(
        tokens=text,
        text=plan.tokenizer.decode(list(text)),
        # CTranslate2 divides by the tokens it returns; the end of text counts as well.
        avg_logprob=result.scores[0] * len(tokens) / (len(tokens) + 1),
        no_speech_prob=result.no_speech_prob,
        temperature=temperature,
    )
