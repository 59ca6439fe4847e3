"""Write subtitle files: SRT and WebVTT.

Both open each cue's text with the speaker as `[SPEAKER_00] `. WebVTT knows a voice tag for it,
`<v SPEAKER_00>`, but browsers, VLC and ffmpeg show nothing of it: they strip the tag, and the
viewer never learns who speaks.

With `highlight_words`, a cue is written once for each moment of it, with the word that is being
spoken underlined.

Times are whole milliseconds, rounded; hours have two digits or more.
"""

import re
from collections.abc import Iterator

from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of
from transcript.lines import joined
from transcript.marks import Moment, SpokenWord, moments_of
from transcript.pieces import Piece
from transcript.transcript import Transcript

# Stand for the tags of our own while everything else that looks like one is defused; text that
# is printable holds no such characters.
_OPEN, _CLOSE = "\x02", "\x03"

# VLC and mpv understand tags of HTML and of ASS in SubRip, and hide the ones they do not know.
_ARROW = re.compile(r"-([ \-\x02\x03]+)>")
_TAG = re.compile(r"<(?=[ \x02\x03]*/?[ \x02\x03]*[^\W\d_])")
_STYLE = re.compile(r"\{(?=\\)")

_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_UNDERLINE = str.maketrans({_OPEN: "<u>", _CLOSE: "</u>"})


def to_srt(transcript: Transcript, options: CueOptions) -> str:
    """Write SubRip; an empty transcript is an empty file.

    SubRip has no escapes, so `-->` is written `->`; the `<` of what looks like a tag becomes a
    single guillemet, and the `{` of what looks like a style a round bracket.
    """
    return "\n".join(
        f"{number}\n{_srt_time(moment.start)} --> {_srt_time(moment.end)}\n{_srt_text(text)}\n"
        for number, (moment, text) in enumerate(_shown(transcript, options), start=1)
    )


def to_vtt(transcript: Transcript, options: CueOptions) -> str:
    """Write WebVTT; an empty transcript is the header alone."""
    cues = (
        f"\n{_vtt_time(moment.start)} --> {_vtt_time(moment.end)}\n"
        f"{text.translate(_VTT_ESCAPES).translate(_UNDERLINE)}\n"
        for moment, text in _shown(transcript, options)
    )
    return "".join(("WEBVTT\n", *cues))


def _shown(transcript: Transcript, options: CueOptions) -> Iterator[tuple[Moment, str]]:
    """Yield what is shown when, the word that is spoken between `_OPEN` and `_CLOSE`."""
    for cue in cues_of(transcript, options):
        if options.highlight_words:
            for moment in moments_of(cue):
                yield moment, _marked(cue, moment.word) if moment.word else cue.text
        else:
            yield Moment(start=cue.start, end=cue.end, word=None), cue.text


def _marked(cue: Cue, word: SpokenWord) -> str:
    lines: list[str] = []
    at = 0
    for row in cue.rows:
        begin, stop = max(word.begin - at, 0), max(word.stop - at, 0)
        lines.append(_marked_line(row, begin, stop))
        at += len(row)
    return cue.label + "\n".join(lines)


def _marked_line(row: tuple[Piece, ...], begin: int, stop: int) -> str:
    """Mark the pieces from `begin` to `stop`, which may lie beyond the line."""
    before, marked, behind = joined(row[:begin]), joined(row[begin:stop]), joined(row[stop:])
    if not marked:
        return joined(row)
    left = "" if not before or row[begin].glued else " "
    right = "" if not behind or row[stop].glued else " "
    return f"{before}{left}{_OPEN}{marked}{_CLOSE}{right}{behind}"


def _srt_text(text: str) -> str:
    text = _ARROW.sub(lambda arrow: f"-{re.sub('[ -]', '', arrow[1])}>", text)
    text = _STYLE.sub("(", _TAG.sub("‹", text))  # noqa: RUF001 - a lookalike on purpose
    return text.translate(_UNDERLINE)


def _srt_time(seconds: float) -> str:
    return _vtt_time(seconds).replace(".", ",")


def _vtt_time(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02}.{milliseconds:03}"
