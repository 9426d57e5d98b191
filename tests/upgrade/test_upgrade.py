"""`epoch-harness upgrade` with real engines: this interpreter against others, whose Lightning is changed.

Engines take seconds to start, hence one candidate with many changes, and one in which there is nothing to object to.
"""

import json
import sys

import pytest
from click.testing import CliRunner
from interpreter import planted_interpreter

from harness.cli import cli
from harness.comparison.differences import BREAKS, NUMBER, ORDER
from harness.schemas import validator

OWN = """
import torch

from harness import Aggregate, Expect, scenario
from harness.frameworks.lightning_package import pl
from harness.oracle.quantities import cross_entropy
from scenarios.models import Classifier


class Told(pl.Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        pass


class Second(Told):
    pass


class Logged(Classifier):
    def training_step(self, batch, batch_idx):
        return self.loss_fn(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss_fn(self(batch[0]), batch[1]))

    def on_validation_epoch_end(self):
        pass


class Raising(Logged):
    def training_step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (1, 0):
            raise RuntimeError("no")
        return super().training_step(batch, batch_idx)


for name, module in (("logged", Logged), ("raising", Raising)):
    scenario(
        pattern=f"mine/{name}",
        variant="recommended",
        module=lambda data, module=module: module(data.features, data.classes),
        aggregates=[Aggregate("val_loss", of=cross_entropy, stage="validation")],
        workloads="WORKLOAD",
        callbacks=lambda: [Told(), Second()],
        expects=[Expect("raised", exception="RuntimeError")] if name == "raising" else [],
    )
"""
WORKLOAD = "short/digits"
PLANTED = """
import planted_bugs, planted_bugs_faults
planted_bugs.unweighted_mean()
planted_bugs.validation_hook_called_twice()
planted_bugs_faults.callbacks_in_reverse()
planted_bugs_faults.exception_in_a_step_swallowed()
"""
HARMLESS = """
import costly, harmless_changes
harmless_changes.private_attribute_of_results_renamed()
harmless_changes.private_counter_renamed()
costly.told_differently()
"""


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory):
    folder = tmp_path_factory.mktemp("upgrade")
    (folder / "mine.py").write_text(OWN.replace("WORKLOAD", WORKLOAD))

    def call(name, changes):
        python = planted_interpreter(folder / f"{name}-python", changes)
        asked = [sys.executable, str(python), "--scenarios", str(folder / "mine.py"), "--budget", "0"]
        done = CliRunner().invoke(cli, ["upgrade", *asked, "--out", str(folder / name)])
        assert (folder / name / "upgrade.json").exists(), done.output
        return done, json.loads((folder / name / "upgrade.json").read_text())

    return call


def test_a_candidate_in_which_nothing_that_a_user_sees_is_other_is_no_regression(upgrade):
    done, written = upgrade("harmless", HARMLESS)
    assert done.exit_code == 0, done.output
    assert "Nothing changed; 2 trials compared" in done.output
    assert "unexpected: mine/logged" not in done.output
    validator("comparison").validate(written)


def test_each_change_of_a_candidate_is_told_with_its_class(upgrade):
    done, written = upgrade("planted", PLANTED)
    assert done.exit_code == 1, done.output
    validator("comparison").validate(written)
    told = {(each["kind"], each["what"]) for each in written["differences"]}
    assert told >= {
        (BREAKS, "no longer raises RuntimeError"),
        (BREAKS, "the module's `on_validation_epoch_end` runs more often"),
        (NUMBER, "`val_loss`: exact → wrong"),
    }
    assert any(kind == ORDER and "runs elsewhere in the order" in what for kind, what in told)
