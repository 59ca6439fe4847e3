"""Make ids that sort by time and cannot be guessed."""

import secrets
from datetime import datetime


def new_id(kind: str, moment: datetime) -> str:
    """Return `<kind>_` and 32 hexadecimal digits: the millisecond of the moment, then chance."""
    return f"{first_id_at(kind, moment)}{secrets.token_hex(10)}"


def first_id_at(kind: str, moment: datetime) -> str:
    """Return what sorts before every id of this kind made in the millisecond, or later."""
    return f"{kind}_{max(0, int(moment.timestamp() * 1000)):012x}"
