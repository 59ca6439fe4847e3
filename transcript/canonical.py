"""Write a transcript as the JSON that `Transcript.model_validate_json` reads again."""

import json
import re

from transcript.cue_options import CueOptions
from transcript.transcript import Transcript

_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")  # UTF-8 has no bytes for these


def to_json(transcript: Transcript, _options: CueOptions) -> str:
    """Write every field, in the order of its definition.

    `speaker` and `embedding` are left out where they are not known; all else that is unknown is
    null. Halves of surrogate pairs become U+FFFD.

    Raises:
        ValueError: the transcript was made without validation and holds a NaN or an infinity.
    """
    document = transcript.model_dump()
    for segment in document["segments"]:
        _leave_out_unknown(segment, "speaker")
        for word in segment["words"]:
            _leave_out_unknown(word, "speaker")
    for speaker in document["speakers"]:
        _leave_out_unknown(speaker, "embedding")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _LONE_SURROGATES.sub("\ufffd", text)


def _leave_out_unknown(fields: dict[str, object], name: str) -> None:
    if fields[name] is None:
        del fields[name]
