"""Say under which name a browser may save an answer."""

import unicodedata
from typing import Literal
from urllib.parse import quote

from flask import Response


def name_download(
    answer: Response, disposition: Literal["attachment", "inline"], filename: str
) -> None:
    """Set `Content-Disposition`; a header has no letters beyond ASCII, so they go encoded.

    Source: RFC 6266, appendix D: a plain `filename` for old clients, `filename*` for the others.
    """
    names = {"filename": filename}
    if not filename.isascii():
        plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
        names = {"filename": plain, "filename*": f"UTF-8''{quote(filename, safe='')}"}
    answer.headers.set("Content-Disposition", disposition, **names)
