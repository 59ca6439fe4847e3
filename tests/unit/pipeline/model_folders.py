"""Make folders as a model's files lie in them."""

from pathlib import Path

WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")


def fill(directory: Path, names: tuple[str, ...] = WHISPER_FILES) -> Path:
    """Make a folder with files of these names, none of them empty."""
    directory.mkdir(parents=True)
    for name in names:
        (directory / name).write_bytes(b"content")
    return directory
