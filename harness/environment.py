"""What an environment holds, and whether a requirement is met there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.errors import ScenarioError

# The same code, published under two names.
IS_INSTALLED = " is installed"  # how a reason ends that is about a version
SAME_CODE = {"pytorch-lightning": ("pytorch-lightning", "lightning"), "tensorflow": ("tensorflow", "tensorflow-cpu")}


@dataclass(frozen=True)
class Environment:
    """As a warm parent reports it (`harness.engine.warm_parent.environment`)."""

    found: dict[str, Any]

    def version(self, package: str) -> Version | None:
        """Of an installed package, or of Python itself; None if it is not installed."""
        name = canonicalize_name(package)
        packages = {**self.found["packages"], "python": self.found["python"]}
        for candidate in SAME_CODE.get(name, (name,)):
            if candidate in packages:
                return Version(packages[candidate])
        return None

    def meets(self, needs: str) -> bool:
        """Whether a requirement such as ``"pytorch_lightning>=2.0"`` is met; an empty one always is.

        Raises:
            ScenarioError: not a requirement.
        """
        if not needs:
            return True
        needed = requirement(needs)
        version = self.version(needed.name)
        return version is not None and needed.specifier.contains(version, prereleases=True)

    def unmet(self, needs: str) -> str:
        """Why a requirement is not met here; empty if it is."""
        if self.meets(needs):
            return ""
        version = self.version(requirement(needs).name)
        return f"needs {needs}, and {'it is not installed' if version is None else f'{version}{IS_INSTALLED}'}"

    def unavailable(self, framework: str, device: str) -> str:
        """Why no trial of this framework can run here on this device; empty if it can."""
        if self.found["unavailable"]:
            return f"{framework} cannot be imported: {self.found['unavailable']}"
        if device == "cuda" and not self.found["cuda"]["available"]:
            return f"no CUDA device: {self.found['cuda']['reason']}"
        return ""

    def lacks_gpus(self, needed: int, device: str) -> str:
        """Why that many GPUs are not to be had here, or not on this device; empty if they are."""
        there_are = self.found["cuda"].get("count", 0) if needed else 0
        needs = f"needs {needed} GPU{'s' if needed > 1 else ''}"
        if there_are < needed:
            return f"{needs}; torch sees {there_are or 'none'}"
        return f"{needs}, and was to run on the {device}" if needed and device != "cuda" else ""

    @property
    def title(self) -> str:
        """In one line: which framework, which versions."""
        packages = self.found["packages"]
        shown = [f"{name} {packages[name]}" for name in packages]
        module = f" (imported as {self.found['module']})" if self.found["module"] else ""
        return f"Python {self.found['python']}, {', '.join(shown)}{module}"


NOT_ASKED = Environment({"unavailable": "not asked yet", "cuda": {"available": False}})


def together(environments: Mapping[str, Environment]) -> Environment:
    """One description of the same interpreter as several frameworks found it; each is named where they differ."""
    found = {framework: environment.found for framework, environment in environments.items()}
    shared = next(iter(found.values()))
    if len(found) == 1:
        return Environment(shared)

    def each(texts: Mapping[str, str]) -> str:
        return "; ".join(f"{framework}: {text}" for framework, text in texts.items() if text)

    cuda = {framework: one["cuda"] for framework, one in found.items()}
    return Environment(
        {
            **shared,
            "framework": ", ".join(found),
            "module": ", ".join(one["module"] for one in found.values() if one["module"]),
            "unavailable": each({framework: one["unavailable"] for framework, one in found.items()}),
            "cuda": {
                "available": any(one["available"] for one in cuda.values()),
                "reason": each({framework: one["reason"] for framework, one in cuda.items()}),
                "device": next((one["device"] for one in cuda.values() if one["device"]), ""),
                "count": max(one["count"] for one in cuda.values()),
            },
        }
    )


def requirement(needs: str) -> Requirement:
    """Raises:
    ScenarioError: not a requirement.
    """
    try:
        return Requirement(needs)
    except InvalidRequirement as error:
        raise ScenarioError(f"{needs!r} is not a requirement such as 'pytorch_lightning>=2.0': {error}") from error
