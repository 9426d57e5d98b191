"""Which machine this is: what decides which kernels compute a figure, and so its last bits."""

import os
import platform
from contextlib import suppress
from pathlib import Path


def machine() -> dict[str, str | int | None]:
    """As it stands in a manifest."""
    return {"platform": platform.platform(), "processors": os.cpu_count(), "processor": _processor()}


def _processor() -> str:
    """Model, family and stepping, as Linux tells them of the first; or whatever there is."""
    told: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    known = [f"{name} {told[name]}" for name in ("cpu family", "model", "stepping") if name in told]
    return ", ".join(filter(None, [told.get("model name", platform.processor()), *known]))
