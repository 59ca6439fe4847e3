"""Make, list and revoke API keys: `python -m api keys create NAME`."""

import argparse
import re
import sys

from api.settings import OWNER_NAME
from jobs import s3_client as s3
from jobs.errors import Unavailable
from jobs.key_files import KeyFiles, hash_of, new_key
from jobs.settings import StoreSettings, load_settings

_SHOWN = 12  # characters of a hash: enough to tell keys apart


def create(files: KeyFiles, owner: str) -> int:
    """Make a key; it is shown this once."""
    if not re.fullmatch(OWNER_NAME, owner):
        return _refused("a name has up to 64 of a-z 0-9 . _ - and begins with a letter or digit")
    key = new_key()
    files.add(owner, hash_of(key))
    print(key)  # noqa: T201 - what was asked for, on standard output
    sys.stderr.write(f"This is the key of {owner}; it is shown this once and kept as a hash.\n")
    return 0


def listed(files: KeyFiles) -> int:
    """Show whose keys there are."""
    for key in files.read().keys:
        print(key.owner, key.sha256[:_SHOWN], key.created_at)  # noqa: T201
    return 0


def revoke(files: KeyFiles, owner: str, beginning: str) -> int:
    """Take keys away: all of an owner, or the one whose hash begins so."""
    found = [k for k in files.read().keys if k.owner == owner and k.sha256.startswith(beginning)]
    if not found:
        return _refused("there is no such key; `python -m api keys list` shows them")
    for key in found:
        files.remove(key)
        sys.stderr.write(f"revoked {key.owner} {key.sha256[:_SHOWN]}\n")
    return 0


def reopen(files: KeyFiles) -> int:
    """Serve this machine without a key again, once the last one is revoked."""
    if files.read().keys:
        return _refused("there are keys; revoke them first")
    files.reopen()
    sys.stderr.write("without a key, the service is open again\n")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m api", description=__doc__)
    things = parser.add_subparsers(dest="thing", required=True)
    actions = things.add_parser("keys").add_subparsers(dest="action", required=True)
    actions.add_parser("create", help="make a key").add_argument("name")
    actions.add_parser("list", help="show whose keys there are")
    actions.add_parser("reopen", help="serve without keys again, once all are revoked")
    actions.add_parser("hash", help="hash the key on standard input, for API_KEYS")
    revoked = actions.add_parser("revoke", help="take keys away")
    revoked.add_argument("name")
    revoked.add_argument("sha256", nargs="?", default="", help="how the hash begins; none: all")
    arguments = parser.parse_args()
    if arguments.action == "hash":
        print(hash_of(sys.stdin.readline().strip()))  # noqa: T201
        return 0
    settings = load_settings(StoreSettings)
    files = KeyFiles(s3.connect(settings), settings.s3_bucket)
    try:
        if arguments.action == "create":
            return create(files, arguments.name)
        if arguments.action == "revoke":
            return revoke(files, arguments.name, arguments.sha256)
        return reopen(files) if arguments.action == "reopen" else listed(files)
    except Unavailable as error:
        return _refused(error.message)


def _refused(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
