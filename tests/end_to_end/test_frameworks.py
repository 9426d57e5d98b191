"""Scenarios of several frameworks in one run, and of one that is not installed."""

from importlib.util import find_spec

import pytest

from harness.run_directory import RunDirectory

LIGHTNING = "epoch_end_hooks/basic_metric/recommended"
KERAS = "strategies/keras_compiled/as_documented"
BOTH = [f"{id}@digits/single_batch" for id in (KERAS, LIGHTNING)]


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_a_run_holds_scenarios_of_both_frameworks(epoch_harness, tmp_path):
    ran = epoch_harness("run", *BOTH, "--out", tmp_path / "run")
    assert ran.code == 0, ran.out + ran.err
    directory = RunDirectory.open(tmp_path / "run")
    assert list(dict.fromkeys(finding.scenario for finding in directory.read_findings())) == [LIGHTNING, KERAS]
    assert directory.read_manifest()["environment"]["framework"] == "keras, lightning"


@pytest.fixture
def without_tensorflow(tmp_path):
    (tmp_path / "fake" / "tensorflow").mkdir(parents=True)
    missing = "raise ModuleNotFoundError(\"No module named 'tensorflow'\", name='tensorflow')\n"
    (tmp_path / "fake" / "tensorflow" / "__init__.py").write_text(missing)
    return {"PYTHONPATH": str(tmp_path / "fake")}


def test_without_tensorflow_the_rest_decides(epoch_harness, tmp_path, without_tensorflow):
    ran = epoch_harness("run", *BOTH, "--out", tmp_path / "run", env=without_tensorflow)
    assert ran.code == 0, ran.out + ran.err
    (unavailable,) = RunDirectory.open(tmp_path / "run").read_manifest()["unavailable"]
    assert unavailable["scenario"] == KERAS
    assert "No module named 'tensorflow'" in unavailable["reason"]


def test_scenarios_of_one_framework_do_not_start_another(epoch_harness, tmp_path):
    (tmp_path / "fake" / "tensorflow").mkdir(parents=True)
    (tmp_path / "fake" / "tensorflow" / "__init__.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    ran = epoch_harness("list", LIGHTNING, env={"PYTHONPATH": str(tmp_path / "fake")})
    assert ran.code == 0, ran.out + ran.err
    assert not (tmp_path / "imported").exists()
