"""List the formats that a transcript can be had in.

A new format is one file with a function `to_…`, and one line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from transcript.canonical import to_json
from transcript.cue_options import CueOptions
from transcript.document import to_docx
from transcript.markdown import to_md
from transcript.prose import to_txt
from transcript.rttm import to_rttm
from transcript.substation import to_ass
from transcript.subtitles import to_srt, to_vtt
from transcript.tables import to_csv, to_tsv
from transcript.transcript import Transcript


class UnknownRendering(ValueError):
    """No rendering has this name; the message says which there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A format of a transcript."""

    suffix: str  # of a file's name, with its dot
    media_type: str  # without parameters; text is UTF-8
    write: Callable[[Transcript, CueOptions], str | bytes]
    is_text: bool = True  # whether the bytes can be decoded, and shown in a terminal


RENDERINGS: Mapping[str, Rendering] = MappingProxyType(
    {
        "json": Rendering(suffix=".json", media_type="application/json", write=to_json),
        "srt": Rendering(suffix=".srt", media_type="application/x-subrip", write=to_srt),
        "vtt": Rendering(suffix=".vtt", media_type="text/vtt", write=to_vtt),
        "txt": Rendering(suffix=".txt", media_type="text/plain", write=to_txt),
        "tsv": Rendering(suffix=".tsv", media_type="text/tab-separated-values", write=to_tsv),
        "ass": Rendering(suffix=".ass", media_type="text/x-ssa", write=to_ass),
        "csv": Rendering(suffix=".csv", media_type="text/csv", write=to_csv),
        "md": Rendering(suffix=".md", media_type="text/markdown", write=to_md),
        "rttm": Rendering(suffix=".rttm", media_type="text/plain", write=to_rttm),
        "docx": Rendering(
            suffix=".docx",
            media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            write=to_docx,
            is_text=False,
        ),
    }
)


def rendering_of(name: str) -> Rendering:
    """Look a format up by its name, such as "srt".

    Raises:
        UnknownRendering: there is none.
    """
    rendering = RENDERINGS.get(name)
    if rendering is None:
        msg = f"unknown transcript format {name[:40]!r}: choose one of {', '.join(RENDERINGS)}"
        raise UnknownRendering(msg)
    return rendering


def render(transcript: Transcript, name: str, options: CueOptions | None = None) -> bytes:
    """Write a transcript in the format of this name, as the bytes of a file; text is UTF-8.

    Raises:
        UnknownRendering: there is no such format.
    """
    content = rendering_of(name).write(transcript, options or CueOptions())
    return content.encode() if isinstance(content, str) else content
