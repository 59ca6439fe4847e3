"""`POST /detect-language`: say which language is spoken, and nothing else."""

from typing import Any

from flask import Response, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, Field

from api.drop_in_fields import Asked, DropInFields, described
from api.held_answers import Manner, answer_held
from api.services import services
from jobs.job import Job
from jobs.languages import LANGUAGES
from jobs.options import Priority, Task
from transcript.transcript import Transcript

# Where nobody speaks: ISO 639's own code for it, which Bazarr takes for "none". A code that is null
# would break clients that look it up.
UNDETERMINED = "und"

detection = APIBlueprint("detection", __name__, abp_tags=[Tag(name="drop-in")])


class DetectedLanguage(BaseModel):
    """The language that most of the speech is in."""

    detected_language: str = Field(description="its English name; `unknown` where nobody speaks")
    language_code: str = Field(description="Whisper's code; `und` where nobody speaks")
    confidence: float | None = Field(description="0 to 1; null: the model knows this one only")

    @classmethod
    def of(cls, transcript: Transcript) -> "DetectedLanguage":
        """Return what was found out."""
        code = transcript.language or UNDETERMINED
        return cls(
            detected_language=LANGUAGES.get(code, "unknown"),
            language_code=code,
            confidence=transcript.language_confidence,
        )


class DetectionFields(DropInFields):
    """The options of `/detect-language`."""

    def job_values(self) -> dict[str, Any]:
        """Return the values of the job's options, by name, but for the model."""
        return {
            "task": Task.DETECT_LANGUAGE,
            "diarize": False,
            "word_timestamps": False,
            "priority": Priority.INTERACTIVE,
        }


@detection.post(
    "/detect-language",
    summary="Find out which language is spoken",
    responses={200: DetectedLanguage},
    openapi_extensions=described(DetectionFields),
)
def detect_language() -> Response:
    """Take the media as the part `audio_file`; a few stretches of its speech are listened to."""
    asked = Asked(DetectionFields, request, services().settings)
    return answer_held(asked.receive, _Reply())


class _Reply:
    """A language."""

    def manner(self, job: Job) -> Manner:
        """Return that it is JSON."""
        return Manner()

    def content(self, transcript: Transcript) -> bytes:
        """Return the whole answer."""
        return DetectedLanguage.of(transcript).model_dump_json().encode()
