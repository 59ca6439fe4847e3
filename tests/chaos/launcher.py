"""The real launcher, over workers whose pipeline does what the media says."""

import sys

from jobs.logs import configure_logging
from worker.launching import launch

if __name__ == "__main__":
    configure_logging()
    launch((sys.executable, "-m", "tests.chaos.worker"))
