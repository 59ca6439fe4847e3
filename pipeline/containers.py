"""Say which containers are opened at all, and recognise them by their first bytes.

FFmpeg decides by content, not by name, and some of what it would open are lists of other files
or addresses (HLS, ffconcat, DASH, SDP, image sequences, subtitles). None of those is named here,
and FFmpeg refuses every demuxer that is not before it reads further than its probe.
"""

# Demuxers of FFmpeg that read their sound from the one file they were given.
DEMUXERS = (
    "3g2",
    "3gp",
    "aac",
    "ac3",
    "aiff",
    "amr",
    "ape",
    "asf",
    "au",
    "avi",
    "caf",
    "dsf",
    "dts",
    "eac3",
    "flac",
    "flv",
    "m4a",
    "matroska",
    "mj2",
    "mov",
    "mp3",
    "mp4",
    "mpc",
    "mpc8",
    "mpeg",
    "mpegts",
    "mxf",
    "nut",
    "ogg",
    "rm",
    "tak",
    "truehd",
    "tta",
    "voc",
    "w64",
    "wav",
    "webm",
    "wtv",
    "wv",
)

# Those whose header states how long the sound is; the others' durations are FFmpeg's guesses.
EXACT_DURATIONS = frozenset(
    {"aiff", "asf", "avi", "caf", "flac", "matroska", "mov", "ogg", "tta", "w64", "wav", "wv"}
)

HEAD_BYTES = 512  # of a file: enough for every signature below

_SIGNATURES = (  # (offset, bytes)
    (0, b"#!AMR"),
    (0, b".RMF"),
    (0, b".snd"),
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x06\x0e\x2b\x34"),  # MXF
    (0, b"\x0b\x77"),  # AC-3
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"0&\xb2u\x8ef\xcf\x11"),  # ASF: wma, wmv
    (0, b"Creative Voice File"),
    (0, b"DSD "),
    (0, b"FLV\x01"),
    (0, b"FORM"),  # AIFF
    (0, b"ID3"),
    (0, b"MAC "),
    (0, b"MP+"),
    (0, b"MPCK"),
    (0, b"OggS"),
    (0, b"RF64"),
    (0, b"RIFF"),  # wav, avi
    (0, b"TTA1"),
    (0, b"caff"),
    (0, b"fLaC"),
    (0, b"riff"),  # Wave64
    (0, b"tBaK"),
    (0, b"wvpk"),
    (4, b"ftyp"),  # mp4, m4a, mov, 3gp
    (4, b"mdat"),
    (4, b"moov"),
    (4, b"wide"),
)


def is_known(head: bytes) -> bool:
    """Whether a file begins like a container of audio or video.

    Args:
        head: its first HEAD_BYTES, or fewer.
    """
    if any(head[offset:].startswith(signature) for offset, signature in _SIGNATURES):
        return True
    # A bare MPEG audio or ADTS frame (eleven set bits), or MPEG-TS packets of 188 bytes.
    sync = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    return sync or (len(head) > 376 and head[0] == head[188] == head[376] == 0x47)


def declared_bytes(head: bytes) -> int | None:
    """Read how large a RIFF or AIFF file says it is.

    Returns:
        Bytes of the whole file; None: it does not say. Streams leave the field zero or all ones
        because they were written before their end was known.
    """
    if head[:4] == b"RIFF":
        size = int.from_bytes(head[4:8], "little")
    elif head[:4] == b"FORM":
        size = int.from_bytes(head[4:8], "big")
    else:
        return None
    return size + 8 if 0 < size < 0x7FFFFFFF else None
