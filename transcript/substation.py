r"""Write Advanced SubStation subtitles (ASS), which players can show word by word.

pysubs2 could write the file, but it ends at ten hours, does not escape what was said, and would be
one more dependency of the API for the forty lines below; the tests read with it.

Braces open override tags, and a backslash begins `\N` and its like. Only libass knows an escape
for braces, so they become round brackets; a word joiner, which shows nothing, parts a backslash
from what follows it, as in mpv and FFmpeg.

Times are whole centiseconds, rounded.
"""

from transcript.cue_options import CueOptions
from transcript.cues import Cue, cues_of
from transcript.marks import spoken_words
from transcript.transcript import Transcript

_ESCAPES = str.maketrans({"{": "(", "}": ")", "\\": "\\\N{WORD JOINER}", "\n": "\\N"})
_NAME = str.maketrans({",": ";"})  # a comma ends the field, and nothing escapes it

_STYLE = {
    "Name": "Default",
    "Fontname": "Arial",
    "Fontsize": 60,  # of a picture that is 1080 high
    "PrimaryColour": "&H00FFFFFF",  # white; alpha, blue, green, red
    "SecondaryColour": "&H00A0A0A0",  # grey, until a highlighted word is spoken
    "OutlineColour": "&H00000000",
    "BackColour": "&H80000000",
    "Bold": 0,
    "Italic": 0,
    "Underline": 0,
    "StrikeOut": 0,
    "ScaleX": 100,
    "ScaleY": 100,
    "Spacing": 0,
    "Angle": 0,
    "BorderStyle": 1,
    "Outline": 3,
    "Shadow": 1,
    "Alignment": 2,  # bottom, centred
    "MarginL": 60,
    "MarginR": 60,
    "MarginV": 60,
    "Encoding": -1,  # libass finds out whether a line runs from right to left
}
_HEADER = f"""\
[Script Info]
ScriptType: v4.00+
PlayResX: 1920
PlayResY: 1080
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: {", ".join(_STYLE)}
Style: {",".join(map(str, _STYLE.values()))}

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def to_ass(transcript: Transcript, options: CueOptions) -> str:
    r"""Write one event for each cue; an empty transcript has none.

    The speaker is the event's name whether or not labels are wanted. With `highlight_words`, each
    word is a syllable of karaoke (`{\k}`): grey until it is spoken, white from then on.
    """
    return _HEADER + "".join(_event(cue, options) for cue in cues_of(transcript, options))


def _event(cue: Cue, options: CueOptions) -> str:
    name = (cue.speaker or "").translate(_NAME)
    text = _karaoke(cue) if options.highlight_words else cue.text.translate(_ESCAPES)
    start, end = _clock(_centiseconds(cue.start)), _clock(_centiseconds(cue.end))
    return f"Dialogue: 0,{start},{end},Default,{name},0,0,0,,{text}\n"


def _karaoke(cue: Cue) -> str:
    tags = _tags(cue)
    text = cue.label.translate(_ESCAPES)
    at = 0
    for index, row in enumerate(cue.rows):
        text += "\\N" if index else ""
        for place, piece in enumerate(row):
            space = "" if piece.glued or not place else " "
            text += space + tags.get(at, "") + piece.text.translate(_ESCAPES)
            at += 1
    return text


def _tags(cue: Cue) -> dict[int, str]:
    """Return what stands before a piece, counted through the rows of the cue."""
    tags: dict[int, str] = {}
    time = _centiseconds(cue.start)
    for word in spoken_words(cue):
        start, end = _centiseconds(word.start), _centiseconds(word.end)
        pause = f"{{\\k{start - time}}}" if start > time else ""
        tags[word.begin] = f"{pause}{{\\k{end - start}}}"
        time = end
    return tags


def _centiseconds(seconds: float) -> int:
    return round(seconds * 100)


def _clock(centiseconds: int) -> str:
    whole, centiseconds = divmod(centiseconds, 100)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}.{centiseconds:02}"
