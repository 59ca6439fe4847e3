"""Understand every name that clients of other services call a model by."""

from api.settings import ApiSettings

# OpenAI's names: whatever they stand for there, here they mean the one that the operator chose.
OPENAI_MODELS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
)
_PREFIX = "whisper-"  # the replaced service takes `whisper-large-v3` for `large-v3`


def resolved_model(name: str, settings: ApiSettings) -> str | None:
    """Return the Whisper model that a name means; None: the worker's default.

    An unknown name comes back as it is, to be refused with the others.
    """
    if name in OPENAI_MODELS:
        return settings.openai_whisper1_model
    plain = name.removeprefix(_PREFIX)
    return plain if name not in settings.models and plain in settings.models else name
