"""Make what others chose fit for a terminal: names and texts may hold escape codes."""

import unicodedata

_KEPT = {"\n", "\t"}
# Marks that turn the order of what follows, so that "exe.mp3" reads as "3pm.exe".
_TURNS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def printable(text: str) -> str:
    """Return a text without control characters; line ends and tabs stay.

    Joiners and the like stay too: several scripts need them.
    """
    return "".join(c for c in text if c in _KEPT or _is_harmless(c))


def in_one_line(text: str) -> str:
    """Return a name or message without control characters, on one line."""
    return " ".join(printable(text).split())


def _is_harmless(character: str) -> bool:
    # Cc: control characters. Cs: bytes of a file name that are no UTF-8; they cannot be printed.
    return unicodedata.category(character) not in ("Cc", "Cs") and character not in _TURNS
