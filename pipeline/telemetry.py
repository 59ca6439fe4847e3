"""Keep the libraries from reporting to their makers."""

import os

# Each is the library's own switch, and the only one that it reads in time: at its import.
_SWITCHES = {
    "PYANNOTE_METRICS_ENABLED": "0",
    # onnxruntime (Silero runs on it) writes a device id into the user's cache and uploads events
    # as soon as it is imported; its function to disable them comes too late.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def phone_nobody() -> None:
    """Switch all reports off; must run before the libraries are imported."""
    os.environ.update(_SWITCHES)
