"""Read what an operator decides about models, devices and limits."""

import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic.functional_validators import AfterValidator, BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.diarizer_tuning import DiarizerTuning, TuningInJson

LEAST_EVICTION_INTERVAL_SECONDS = 30.0  # as in the service that this one replaces


def _names(value: object) -> object:
    """Split `a, b` into its names; an environment variable has no other list."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return value


def _not_too_often(seconds: float) -> float:
    return max(seconds, LEAST_EVICTION_INTERVAL_SECONDS)


def _default_cache() -> Path:
    return Path("~/.cache/whisperline").expanduser()


class PipelineSettings(BaseSettings):
    """Decisions of the deployment, not of a job; an empty variable means unset."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: cuda where a GPU answers
    compute_type: str | None = None  # of CTranslate2; None: float16 on cuda, int8 on the CPU
    batch_size: int | None = Field(default=None, ge=1, le=128)  # windows; None: 16 cuda, 2 CPU
    align_device: Literal["cpu", "cuda"] | None = None  # None: as `device`
    hf_token: SecretStr | None = None  # opens gated models; nothing needs it
    hf_hub_offline: bool = False  # True: use what is in the cache, ask nobody
    cache_dir: Path = Field(default_factory=_default_cache)  # models
    work_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()))  # waveforms
    preload_model: str | None = None  # None: large-v3 on cuda, base on the CPU
    # All models but the preloaded one leave the memory when nobody has used them for so long.
    model_keep_alive_seconds: float = Field(default=0.0, ge=0)  # 0: never
    model_eviction_interval_seconds: Annotated[float, AfterValidator(_not_too_often)] = Field(
        default=60.0, gt=0
    )  # between two looks at them; less than 30 is taken as 30
    # Whisper models, aligners and diarizers in memory; idle ones leave first, those in use never.
    max_loaded_models: int = Field(default=0, ge=0)  # 0: any number
    allowed_models: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    vad: Literal["silero", "pyannote"] = "silero"
    max_audio_seconds: float = Field(default=10 * 3600.0, gt=0)  # of one job
    decode_timeout_seconds: float = Field(default=1800.0, gt=0)  # wall time of one decode
    diarize_clustering_threshold: float | None = Field(default=None, gt=0, lt=2)
    diarize_min_duration_off: float | None = Field(default=None, ge=0)  # seconds
    # Further parameters of pyannote, as JSON; they win over the two above.
    diarize_param_overrides: Annotated[TuningInJson, NoDecode] = DiarizerTuning()
    diarize_fill_nearest: bool = False  # True: a word outside every turn gets the nearest speaker
