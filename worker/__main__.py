"""Start a worker, the housekeeper or the courier: `python -m worker [housekeeper | courier]`.

A worker is a launcher, and below it one process (`work`) for each GPU.
"""

import argparse
import sys
from importlib import import_module

from jobs.logs import configure_logging

# Loaded when it is asked for: a launcher loads no pipeline, a courier no launcher.
_ROLES = {
    "launch": ("worker.launching", "launch"),
    "work": ("worker.working", "work"),
    "housekeeper": ("worker.keeping_house", "keep_house"),
    "courier": ("worker.courier_process", "deliver"),
}


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("role", nargs="?", choices=tuple(_ROLES), default="launch")
    role = parser.parse_args().role
    configure_logging()
    module, name = _ROLES[role]
    getattr(import_module(module), name)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
