"""Prepare what all windows of a job have in common when Whisper writes them down."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import UnsuitableModel
from jobs.options import Task

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

MAX_TOKENS = 448  # prompt and text together
MAX_PROMPT_TOKENS = MAX_TOKENS // 2 - 1  # as Whisper: the other half is for the text


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingPlan:
    """What one job asks of the decoder; never changed, so that jobs cannot mix."""

    language: str  # a Whisper code
    tokenizer: "Tokenizer"
    start: tuple[int, ...]  # tokens: start of transcript, language, task
    prompt: tuple[int, ...]  # tokens: what was said before, `start`, no timestamps
    temperature: float  # of the first try; 0: beam search
    suppressed: tuple[int, ...]  # tokens that are never written: music notes, brackets …

    @property
    def batch_key(self) -> tuple[int, int, float]:
        """Say whose windows may share a batch: CTranslate2 wants prompts laid out alike."""
        return len(self.prompt), len(self.start), self.temperature


def decoding_plan(
    whisper: "WhisperModel",
    *,
    name: str,
    language: str,
    task: Task,
    initial_prompt: str | None,
    hotwords: str | None,
    temperature: float,
) -> DecodingPlan:
    """Make a job's plan; see `WhisperRecognizer.plan`.

    Raises:
        UnsuitableModel: the model was not trained for the language or the task.
    """
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import get_suppressed_tokens

    multilingual: bool = whisper.model.is_multilingual
    check_suitable(name, language=language, task=task, multilingual=multilingual)
    if multilingual and whisper.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
        msg = f"model {name!r} does not know the language {language!r}: choose large-v3"
        raise UnsuitableModel(msg)
    tokenizer = Tokenizer(whisper.hf_tokenizer, multilingual, task=task.value, language=language)
    before = [
        token
        for text in (hotwords, initial_prompt)
        if text and text.strip()
        for token in tokenizer.encode(" " + text.strip())
    ]
    start = tuple(tokenizer.sot_sequence)
    previous = (tokenizer.sot_prev, *before[-MAX_PROMPT_TOKENS:]) if before else ()
    return DecodingPlan(
        language=language,
        tokenizer=tokenizer,
        start=start,
        prompt=(*previous, *start, tokenizer.no_timestamps),
        temperature=temperature,
        suppressed=tuple(get_suppressed_tokens(tokenizer, [-1])),
    )


def check_suitable(name: str, *, language: str, task: Task, multilingual: bool) -> None:
    """Refuse what a model would answer with nonsense.

    Raises:
        UnsuitableModel: the model was not trained for the language or the task.
    """
    if not multilingual and language != "en":
        msg = f"model {name!r} knows English only, not {language!r}: choose another model"
        raise UnsuitableModel(msg)
    # Turbo and the distilled models were trained without translation: they answer in the language
    # that was spoken (openai/whisper and distil-whisper, README).
    if task is Task.TRANSLATE and (not multilingual or "turbo" in name or "distil" in name):
        msg = f"model {name!r} cannot translate: choose large-v3, medium, small or base"
        raise UnsuitableModel(msg)
