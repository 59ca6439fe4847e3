"""Find the sample call: 30 seconds of a real telephone talk between two people."""

from importlib.metadata import files
from pathlib import Path


def sample_call() -> Path:
    """Return the sound file that ships inside the pyannote-audio package (MIT)."""
    for found in files("pyannote-audio") or ():
        if found.name == "sample.wav":
            return Path(str(found.locate()))
    msg = "the pyannote-audio package holds no sample.wav any more; name a file: AUDIO=talk.mp3"
    raise FileNotFoundError(msg)
