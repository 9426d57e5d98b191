"""Environments: whether a requirement is met, and why not."""

import pytest

from harness.environment import Environment, together
from harness.errors import ScenarioError

NO_CUDA = {"available": False, "reason": "torch is built without CUDA", "device": "", "count": 0}


def environment(python="3.11.7", unavailable="", cuda=NO_CUDA, **packages) -> Environment:
    named = {name.replace("_", "-"): version for name, version in packages.items()}
    return Environment({"python": python, "packages": named, "module": "", "unavailable": unavailable, "cuda": cuda})


@pytest.mark.parametrize(
    ("needs", "met"),
    [
        ("", True),
        ("pytorch_lightning", True),
        ("pytorch_lightning>=2.0", True),
        ("pytorch-lightning>=2.0,<3", True),
        ("PyTorch_Lightning==2.6.6", True),
        ("pytorch_lightning<2.0", False),
        ("torchmetrics", False),
        ("python>=3.11", True),
        ("python<3.11", False),
    ],
)
def test_a_requirement_is_held_against_what_is_installed(needs, met):
    assert environment(pytorch_lightning="2.6.6").meets(needs) is met


@pytest.mark.parametrize(("needs", "met"), [("pytorch_lightning>=2.5", True), ("pytorch_lightning<2.5", False)])
def test_lightning_counts_as_pytorch_lightning(needs, met):
    assert environment(lightning="2.6.1").meets(needs) is met


def test_where_both_are_installed_pytorch_lightning_counts():
    both = environment(lightning="2.0.0", pytorch_lightning="1.9.5")
    assert str(both.version("pytorch_lightning")) == "1.9.5"


def test_tensorflow_for_cpus_counts_as_tensorflow():
    assert environment(tensorflow_cpu="2.16.1").meets("tensorflow>=2.16")


@pytest.mark.parametrize(
    ("version", "needs", "met"),
    [
        ("2.6.0rc1", "pytorch_lightning>=2.5", True),
        ("2.6.0rc1", "pytorch_lightning>=2.6", False),
        ("2.6.0.dev20260101", "pytorch_lightning>=2.0", True),
        ("2.13.0+cpu", "pytorch_lightning==2.13.0", True),
    ],
)
def test_versions_before_and_beside_a_release_are_versions(version, needs, met):
    assert environment(pytorch_lightning=version).meets(needs) is met


@pytest.mark.parametrize("needs", ["lightning >=", ">=2.0", "a b"])
def test_what_is_no_requirement_is_told(needs):
    with pytest.raises(ScenarioError, match="is not a requirement such as"):
        environment().meets(needs)


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ("pytorch_lightning>=2.0", ""),
        ("pytorch_lightning<2.0", "needs pytorch_lightning<2.0, and 2.6.6 is installed"),
        ("torchmetrics>=1.0", "needs torchmetrics>=1.0, and it is not installed"),
        ("python>=3.12", "needs python>=3.12, and 3.11.7 is installed"),
    ],
)
def test_a_requirement_that_is_not_met_has_a_reason(needs, reason):
    assert environment(pytorch_lightning="2.6.6").unmet(needs) == reason


@pytest.mark.parametrize(
    ("found", "device", "reason"),
    [
        (environment(), "cpu", ""),
        (environment(), "cuda", "no CUDA device: torch is built without CUDA"),
        (environment(cuda={**NO_CUDA, "available": True}), "cuda", ""),
        (environment(unavailable="ImportError: x"), "cpu", "lightning cannot be imported: ImportError: x"),
    ],
)
def test_a_framework_that_cannot_run_on_a_device_has_a_reason(found, device, reason):
    assert found.unavailable("lightning", device) == reason


@pytest.mark.parametrize(
    ("count", "needed", "device", "reason"),
    [
        (0, 0, "cpu", ""),
        (0, 1, "cpu", "needs 1 GPU; torch sees none"),
        (1, 2, "cuda", "needs 2 GPUs; torch sees 1"),
        (2, 2, "cuda", ""),
        (2, 1, "cpu", "needs 1 GPU, and was to run on the cpu"),
    ],
)
def test_gpus_that_are_not_to_be_had_are_a_reason(count, needed, device, reason):
    assert environment(cuda={**NO_CUDA, "count": count}).lacks_gpus(needed, device) == reason


def test_the_title_names_all_versions():
    assert environment(torch="2.13.0", lightning="2.6.6").title == "Python 3.11.7, torch 2.13.0, lightning 2.6.6"


def found_by(framework: str, module: str, unavailable: str, cuda) -> Environment:
    shared = environment(unavailable=unavailable, cuda=cuda, torch="2.13.0").found
    return Environment({**shared, "framework": framework, "module": module})


GPU = {"available": True, "reason": "", "device": "a GPU", "count": 2}
LIGHTNING = found_by("lightning", "pytorch_lightning", "", GPU)
KERAS = found_by("keras", "", "ModuleNotFoundError: x", {**NO_CUDA, "reason": "keras cannot be imported"})


def test_one_framework_describes_its_environment_alone():
    assert together({"lightning": LIGHTNING}) == LIGHTNING


def test_several_frameworks_are_named_where_they_differ():
    found = together({"keras": KERAS, "lightning": LIGHTNING}).found
    assert found == {
        **LIGHTNING.found,
        "framework": "keras, lightning",
        "unavailable": "keras: ModuleNotFoundError: x",
        "cuda": {**GPU, "reason": "keras: keras cannot be imported"},
    }


def test_the_title_names_all_that_was_imported():
    both = {"keras": found_by("keras", "keras", "", NO_CUDA), "lightning": LIGHTNING}
    assert together(both).title.endswith("(imported as keras, pytorch_lightning)")
