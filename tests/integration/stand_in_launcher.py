"""The real launcher, over workers whose pipeline does what the media says.

MADE_UP_GPUS, UUIDs with commas, are what its driver knows. A worker on one of BROKEN_GPU ends with
an error before it is ready, as CUDA's would.
"""

import os
import sys

from jobs.logs import configure_logging
from tests.unit.worker.driver import MadeUpGpu, driver
from worker.launching import launch

if __name__ == "__main__":
    configure_logging()
    if uuids := os.environ.get("MADE_UP_GPUS"):
        made_up = driver([MadeUpGpu(uuid=uuid) for uuid in uuids.split(",")])
        sys.modules["pynvml"] = made_up  # type: ignore[assignment]
    launch((sys.executable, "-m", "tests.integration.stand_in_worker"))
