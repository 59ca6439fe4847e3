"""Write subtitle files: SRT and WebVTT.

Both open each cue's text with the speaker as `[SPEAKER_00] `. WebVTT knows a voice tag for it,
`<v SPEAKER_00>`, but browsers, VLC and ffmpeg show nothing of it: they strip the tag, and the
viewer never learns who speaks.

Times are whole milliseconds, rounded; hours have two digits or more.
"""

import re

from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of, label_of
from transcript.transcript import Transcript

# VLC and mpv understand tags of HTML and of ASS in SubRip, and hide the ones they do not know.
_ARROW = re.compile(r"-[ -]+>")
_TAG = re.compile(r"<(?= */? *[^\W\d_])")
_STYLE = re.compile(r"\{(?=\\)")

_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def to_srt(transcript: Transcript, options: CueOptions) -> str:
    """Write SubRip; an empty transcript is an empty file.

    SubRip has no escapes, so `-->` is written `->`; the `<` of what looks like a tag becomes a
    single guillemet, and the `{` of what looks like a style a round bracket.
    """
    return "\n".join(
        f"{number}\n{_srt_time(cue.start)} --> {_srt_time(cue.end)}\n{_srt_text(cue, options)}\n"
        for number, cue in enumerate(cues_of(transcript, options), start=1)
    )


def to_vtt(transcript: Transcript, options: CueOptions) -> str:
    """Write WebVTT; an empty transcript is the header alone."""
    cues = (
        f"\n{_vtt_time(cue.start)} --> {_vtt_time(cue.end)}\n"
        f"{_text(cue, options).translate(_VTT_ESCAPES)}\n"
        for cue in cues_of(transcript, options)
    )
    return "".join(("WEBVTT\n", *cues))


def _text(cue: Cue, options: CueOptions) -> str:
    return label_of(cue.speaker, options) + "\n".join(cue.lines)


def _srt_text(cue: Cue, options: CueOptions) -> str:
    text = _ARROW.sub("->", _text(cue, options))
    return _STYLE.sub("(", _TAG.sub("‹", text))  # noqa: RUF001 - a lookalike on purpose


def _srt_time(seconds: float) -> str:
    return _vtt_time(seconds).replace(".", ",")


def _vtt_time(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}.{milliseconds:03}"
