"""Which machine this is: what decides which kernels compute a figure, and so its last bits."""

import os
import platform
from contextlib import suppress
from pathlib import Path


def machine() -> dict[str, str | int | None]:
    """As it stands in a manifest."""
    return {"platform": platform.platform(), "processors": os.cpu_count(), "processor": _processor()}


def _processor() -> str:
    """The model, as Linux tells it; empty if it does not."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
