"""Name the files of an archive after what a client called things."""

import unicodedata

_MAX_BYTES = 180  # of a name without its suffix; file systems take 255 with it
_FORBIDDEN = frozenset('/\\:*?"<>|')  # in names on one system or another


class ArchiveNames:
    """The names taken in one archive; where letters differ only in case, so do no two names."""

    def __init__(self, *taken: str) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, wanted: str, suffix: str, *, otherwise: str) -> str:
        """Return a name that is safe to unpack anywhere, and that no other file has.

        Args:
            wanted: what somebody else chose; folders in it are no folders here.
            suffix: of the file, with its dot.
            otherwise: the name where nothing of `wanted` is left.
        """
        stem = _safe(wanted) or otherwise
        name, number = f"{stem}{suffix}", 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}-{number}{suffix}"
        self._taken.add(name.casefold())
        return name


def _safe(text: str) -> str:
    kept = "".join(
        "_" if c in _FORBIDDEN or unicodedata.category(c)[0] == "C" else c
        for c in unicodedata.normalize("NFC", text)
    )
    cut = kept.encode()[:_MAX_BYTES].decode(errors="ignore")
    return cut.strip(" .")  # no "..", no hidden files, none that Windows could not make
