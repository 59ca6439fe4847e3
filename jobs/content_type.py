"""Make a content type that somebody else sent fit to be kept and sent on."""

import re

_SOUND = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", flags=re.ASCII)


def sound_content_type(text: str | None) -> str | None:
    """Return the type and subtype, in lower case; None where there is no such thing.

    What is decoded is found out by looking at the bytes; this is only kept and shown.
    """
    essence = (text or "").partition(";")[0].strip().lower()
    return essence if _SOUND.fullmatch(essence) else None
