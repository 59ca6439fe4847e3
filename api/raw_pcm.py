"""Make raw samples a WAV file, by putting the header before them that says how to read them."""

import struct

SAMPLE_RATE = 16_000  # Hz; what clients of whisper-asr-webservice send with `encode=false`
_SAMPLE_BYTES = 2  # signed, little-endian
# How long the samples are is not known before they have all come. Programs that write into a pipe
# put this number there, and who reads it reads to the end.
_TO_THE_END = 0xFFFFFFFF

WAV_HEADER = struct.pack(
    "<4sI4s4sIHHIIHH4sI",
    b"RIFF",
    _TO_THE_END,
    b"WAVE",
    b"fmt ",
    16,  # bytes of this chunk
    1,  # PCM
    1,  # channel
    SAMPLE_RATE,
    SAMPLE_RATE * _SAMPLE_BYTES,  # bytes per second
    _SAMPLE_BYTES,  # bytes of one sample of all channels
    8 * _SAMPLE_BYTES,  # bits per sample
    b"data",
    _TO_THE_END,
)  # 44 bytes
