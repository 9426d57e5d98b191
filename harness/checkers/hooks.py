"""Does the hook that ends an epoch run exactly once for every pass over the stage's batches?

That is once for every training epoch, and as often as the schedule has it validated.
"""

from harness.checkers.case import Case
from harness.findings import Finding
from harness.scenario import EpochHook

# What is called on every callback, whatever hooks the module defines
# (pytorch_lightning.callbacks.Callback, 1.9 to 2.6; keras.callbacks.Callback, 3.0 to 3.15).
CALLBACK_HOOKS = {
    "lightning": (
        EpochHook("on_train_epoch_start", "train"),
        EpochHook("on_train_epoch_end", "train"),
        EpochHook("on_validation_epoch_start", "validation"),
        EpochHook("on_validation_epoch_end", "validation"),
    ),
    "keras": (
        EpochHook("on_epoch_begin", "train"),
        EpochHook("on_epoch_end", "train"),
        EpochHook("on_test_begin", "validation"),
        EpochHook("on_test_end", "validation"),
    ),
    "torch": (),
}


def check(case: Case) -> list[Finding]:
    """The hooks that the scenario relies on, those that its module defines, and the callbacks' ones."""
    if not case.completed:
        return [case.raised_finding("hook", _name(hook), otherwise="ok") for hook in case.scenario.hooks]
    return [
        *(_once_per_pass(case, hook, "invoke", _name(hook)) for hook in case.scenario.hooks),
        *(_once_per_pass(case, hook, "invoke", _name(hook)) for hook in _defined_by_module(case)),
        *(
            _once_per_pass(case, hook, "info", f"Callback.{_name(hook)}")
            for hook in CALLBACK_HOOKS[case.trial.framework]
            if hook.stage in case.stages
        ),
    ]


def _defined_by_module(case: Case) -> list[EpochHook]:
    """A hook that runs twice may log the same value twice, and the mean of the two is right."""
    plan = case.history.first("plan")
    defined = plan.value["hooks"] if plan else []
    return [
        hook
        for hook in CALLBACK_HOOKS[case.trial.framework]
        if hook.name in defined and hook.stage in case.stages and hook not in case.scenario.hooks
    ]


def _name(hook: EpochHook) -> str:
    return f"{hook.name} ({hook.stage})"


def _once_per_pass(case: Case, hook: EpochHook, type: str, name: str) -> Finding:
    calls = list(case.told.select(hook.name, type, stage=hook.stage))
    wrong = []
    for epoch in range(case.planned_epochs):
        count = sum(1 for call in calls if call.epoch == epoch)
        if count != case.share.passes(hook.stage, epoch):
            wrong.append(f"{count} times in epoch {epoch}")
    if case.scenario.data and hook in case.scenario.hooks and not calls and not wrong:
        wrong.append("never")  # of data of one's own, a stage that never ran is in no plan
    planned = range(case.planned_epochs)
    wrong += [f"in epoch {call.epoch}, which was not planned" for call in calls if call.epoch not in planned]
    return case.property_finding(
        "hook", name, "violated" if wrong else "ok",
        message=f"ran {', '.join(wrong)}" if wrong else "",
        evidence=[call.line for call in calls],
    )  # fmt: skip
