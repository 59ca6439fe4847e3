"""Read what a job shall be like from the command line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any

import typer

from client.errors import Misuse

_PANEL = "What the job shall be like (the service's own defaults where not given)"


class Task(StrEnum):
    """What to do with the words."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"
    DETECT_LANGUAGE = "detect_language"


class Channels(StrEnum):
    """What to do with several channels."""

    MIX = "mix"
    SEPARATE = "separate"


class Priority(StrEnum):
    """Which queue to wait in."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BATCH = "batch"


def _option(*names: str, help: str, **more: Any) -> Any:  # noqa: A002  # as typer calls it
    return typer.Option(*names, help=help, rich_help_panel=_PANEL, show_default=False, **more)


# The service checks the values, and says what is wrong before anything is uploaded.
@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """All options of a job; None leaves the choice to the service."""

    model: Annotated[
        str | None, _option("--model", "-m", metavar="NAME", help="A Whisper model.")
    ] = None
    language: Annotated[
        str | None,
        _option(
            "--language", "-l", metavar="LANGUAGE", help="As de, german, de-AT; else detected."
        ),
    ] = None
    task: Annotated[
        Task | None,
        _option(
            "--task",
            metavar="TASK",
            help="transcribe, translate (into English) or detect_language.",
        ),
    ] = None
    initial_prompt: Annotated[
        str | None,
        _option("--prompt", metavar="TEXT", help="What was said before, or how to spell."),
    ] = None
    hotwords: Annotated[
        str | None,
        _option("--hotwords", metavar="WORDS", help="Words to expect, with commas between."),
    ] = None
    temperature: Annotated[
        float | None, _option("--temperature", metavar="N", help="0 to 1, of the first try.")
    ] = None
    word_timestamps: Annotated[
        bool | None,
        _option(" /--no-word-times", help="Do not align each word."),
    ] = None
    diarize: Annotated[
        bool | None, _option("--diarize/--no-diarize", help="Tell the speakers apart.")
    ] = None
    num_speakers: Annotated[
        int | None, _option("--num-speakers", metavar="N", help="Exactly so many speakers.")
    ] = None
    min_speakers: Annotated[
        int | None, _option("--min-speakers", metavar="N", help="At least.")
    ] = None
    max_speakers: Annotated[int | None, _option("--max-speakers", metavar="N", help="At most.")] = (
        None
    )
    return_speaker_embeddings: Annotated[
        bool | None,
        _option(
            "--voice-prints",
            help="A voice print of each speaker, in the JSON.",
        ),
    ] = None
    channels: Annotated[
        Channels | None,
        _option("--channels", metavar="WHICH", help="mix, or separate: each channel is a speaker."),
    ] = None
    clip_start: Annotated[
        float | None,
        _option("--clip-start", metavar="SECONDS", help="Seconds; leave out what comes before."),
    ] = None
    clip_end: Annotated[
        float | None,
        _option("--clip-end", metavar="SECONDS", help="Seconds; leave out what comes after."),
    ] = None
    priority: Annotated[
        Priority | None,
        _option("--priority", metavar="QUEUE", help="interactive, normal or batch."),
    ] = None
    external_id: Annotated[
        str | None, _option("--external-id", metavar="TEXT", help="Your own name for the job.")
    ] = None
    tags: Annotated[
        list[str] | None,
        _option("--tag", metavar="TEXT", help="To find the job by; may be repeated."),
    ] = None
    metadata: Annotated[
        str | None,
        _option("--metadata", metavar="JSON", help="A JSON object that is kept with the job."),
    ] = None
    retention_days: Annotated[
        int | None,
        _option("--retention-days", metavar="DAYS", help="Days until the job is purged."),
    ] = None
    media_retention_days: Annotated[
        int | None,
        _option("--media-retention-days", metavar="DAYS", help="The same for its media alone."),
    ] = None
    webhook: Annotated[
        str | None,
        _option("--webhook", metavar="ADDRESS", help="Whom to tell when the job is over."),
    ] = None

    def chosen(self, **otherwise: object) -> dict[str, Any]:
        """Return what was asked for, as the service reads it.

        Args:
            otherwise: what this command asks for where nothing is given.

        Raises:
            Misuse: the metadata is no JSON object.
        """
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        found = otherwise | {
            name: value for name, value in given.items() if value not in (None, [])
        }
        if "metadata" in found:
            found["metadata"] = _object(str(found["metadata"]))
        if "webhook" in found:
            found["webhook"] = {"url": found["webhook"]}
        return found


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        msg = f"--metadata is no JSON: {error}"
        raise Misuse(msg) from error
    if not isinstance(found, dict):
        msg = '--metadata is a JSON object, such as {"case": 7}'
        raise Misuse(msg)
    return found
