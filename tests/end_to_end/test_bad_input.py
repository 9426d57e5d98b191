"""Bad input: one clear message that says what to do, the documented exit code, nothing lost, no traceback."""

import re
import resource

import pytest

from harness.run_directory import RunDirectory

BROKEN = {
    "does not import": ("import there_is_no_such_module\n", "there_is_no_such_module"),
    "raises": ("raise RuntimeError('half finished')\n", "half finished"),
    "leaves": ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
    "is not Python": ("def (:\n", "line 1"),
    "declares nothing": ("x = 1\n", "declares no scenario"),
    "has no aggregate": (
        "from harness import scenario\n"
        "scenario(pattern='a/b', variant='migrated', module=lambda data: None, aggregates=[])\n",
        "declares no aggregate",
    ),
    "has an id twice": (
        "from harness import Aggregate, quantities, scenario\n"
        "for _ in range(2):\n"
        "    scenario(pattern='a/b', variant='migrated', module=lambda data: None,\n"
        "             aggregates=[Aggregate('x', of=quantities.accuracy, stage='train')])\n",
        "a/b/migrated is taken",
    ),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_scenario_file(refused, tmp_path, text, told):
    (tmp_path / "broken.py").write_text(text)
    ran = refused("run", "broken.py", "--out", "run", cwd=tmp_path)
    assert told in ran.err
    assert "broken.py" in ran.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("filter", "told"),
    [
        ("epoch_avergaing/*", "did you mean 'epoch_averaging"),
        ("epoch_averaging/[a", "never closed"),
        ("epoch_averaging/*@", "malformed filter"),
        ("epoch_averaging/*@iris", "the workloads are"),
        ("epoch_averaging/*@digits/train=600x32,validation=1", "digits has 1797"),
        ("missing.py", "no scenario file"),
    ],
)
def test_a_filter_that_cannot_be_used(refused, tmp_path, filter, told):
    ran = refused("run", filter, "--out", tmp_path / "run")
    assert told in ran.err
    assert not (tmp_path / "run").exists()


def test_a_fault_file_that_cannot_be_used(refused, tmp_path):
    fault = '{"family": "step", "kind": "exception",\n"batch": 9}'
    (tmp_path / "mine.json").write_text(
        f'{{"scenario": "epoch_end_reliability/lightning_hooks/as_documented", "workload": "short/diabetes",\n'
        f'"faults": [{fault}]}}'
    )
    ran = refused("run", "--fault", "mine.json", "--out", "run", cwd=tmp_path)
    assert ran.err == (
        "epoch-harness: mine.json:3: $.faults[0].batch: short/diabetes has 4 train batches, counted from 0\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["report"], ["compare"]])
def test_a_folder_that_is_no_run(refused, tmp_path, command):
    (tmp_path / "manifest.json").write_text("{")
    arguments = [tmp_path] * (2 if command == ["compare"] else 1)
    ran = refused(*command, *arguments)
    assert "manifest.json is not JSON" in ran.err


def test_a_run_directory_that_is_taken_is_left_alone(refused, small_run):
    before = (small_run / "findings.jsonl").read_bytes()
    ran = refused("run", "--out", small_run)
    assert "--out" in ran.err
    assert (small_run / "findings.jsonl").read_bytes() == before


def test_an_unknown_option(refused):
    ran = refused("run", "--devise", "cpu")
    assert "--device" in ran.err


def test_cuda_without_a_gpu_decides_nothing_and_says_why(epoch_harness, tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    ran = epoch_harness("run", "--device", "cuda", "--out", tmp_path / "run")
    assert ran.code == 3
    assert "CUDA" in ran.out
    unavailable = RunDirectory.open(tmp_path / "run").read_manifest()["unavailable"]
    assert len(unavailable) >= 80
    assert all(item["reason"] for item in unavailable)


def test_without_lightning_nothing_is_decided_and_the_reason_is_told(epoch_harness, tmp_path):
    missing = "raise ModuleNotFoundError(\"No module named '{0}'\", name='{0}')\n"
    for name in ("pytorch_lightning", "lightning"):
        (tmp_path / "fake" / name).mkdir(parents=True)
        (tmp_path / "fake" / name / "__init__.py").write_text(missing.format(name))
    fake = {"PYTHONPATH": str(tmp_path / "fake")}
    ran = epoch_harness("run", "epoch_averaging/*", "--out", tmp_path / "run", env=fake)
    assert ran.code == 3
    assert "No module named 'pytorch_lightning'" in ran.out


def test_no_space_left_keeps_what_was_written(epoch_harness, tmp_path):
    """A limit on file size stands in for a full disk: writing fails in the middle of a file, as it does there."""
    selected = [f"*/manual_average_regression/*@diabetes/train={n}x4,validation=1x4" for n in (1, 2, 3)]
    assert epoch_harness("run", *selected, "--out", tmp_path / "whole").code == 0
    sizes = {file.name: file.stat().st_size for file in (tmp_path / "whole").rglob("*.*")}
    limit = sizes.pop("findings.jsonl") - 1
    assert max(sizes.values()) < limit
    out = tmp_path / "run"

    def little_space():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ran = epoch_harness("run", *selected, "--out", out, preexec_fn=little_space)
    assert ran.code == 4
    assert re.search("cannot write or read .*: File too large", ran.err)
    assert RunDirectory.open(out).read_manifest()["status"] == "failed"
    kept = RunDirectory.open(out).read_findings()
    assert 0 < len(kept) < len(RunDirectory.open(tmp_path / "whole").read_findings())
    assert epoch_harness("report", out).code == 3


@pytest.mark.parametrize("ranks", ["0", "-1", "x", "1,0", "", "65"])
def test_what_is_no_number_of_ranks(refused, tmp_path, ranks):
    ran = refused("run", "ranks/*", "--ranks", ranks, "--out", tmp_path / "run")
    assert "is no number of ranks: write numbers from 1 to 64, such as 1,2,3" in ran.err
    assert not (tmp_path / "run").exists()


def test_more_ranks_than_there_are_batches(refused, tmp_path):
    filter = "ranks/one_all_reduce/*@digits/train=2x8,validation=2x8"
    ran = refused("run", filter, "--ranks", "3", "--out", tmp_path / "run")
    assert "more ranks than batches: digits/train=2x8,validation=2x8 has 2 train batches, fewer than 3 ranks" in ran.err
    assert not (tmp_path / "run").exists()


def test_a_way_to_share_that_there_is_not(refused, tmp_path):
    ran = refused("run", "ranks/*@digits/train=2x8,validation=2x8,shared=fairly", "--out", tmp_path / "run")
    assert "ranks cannot share batches as 'fairly': behind shared= may stand dealt, padded, all" in ran.err
