"""Records the hooks that callbacks of a scenario's own define, in any framework that has callbacks."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from harness.history.encoding import encode_error
from harness.history.recorder import Recorder


class Standing(Protocol):
    """Where training stands, as every operation is stamped with it."""

    def stamp(self) -> dict[str, Any]: ...


def recorded(
    inner: Callable[..., Any],
    f: str,
    recorder: Recorder,
    position: Standing,
    asked: Callable[..., dict[str, Any]] | None = None,
    told: Callable[[Any], dict[str, Any]] | None = None,
) -> Callable[..., Any]:
    """Write where a call begins and where it ends, both stamped with where training stood when it began.

    Args:
        asked: what there is to be noted of its arguments, at either end.
        told: what there is to be noted of its result besides.
    """

    def hook(*args: Any, **kwargs: Any) -> Any:
        stamp = position.stamp()
        noted = asked(*args, **kwargs) if asked else {}
        recorder.write(f, "invoke", noted or None, **stamp)
        try:
            result = inner(*args, **kwargs)
        except BaseException as error:
            recorder.write(f, "fail", {**noted, **encode_error(error)}, **stamp)
            raise
        noted = {**noted, **(told(result) if told else {})}
        recorder.write(f, "ok", noted or None, **stamp)
        return result

    return hook


def record_callbacks(
    callbacks: Sequence[Any], base: type, hooks: Sequence[str], kinds: dict[str, type], recorder: Recorder,
    position: Standing,
) -> list[dict[str, Any]]:  # fmt: skip
    """Record each hook that a callback's own class defines, as `Class.hook`.

    Args:
        base: the framework's own class of callbacks, which defines every hook to do nothing.
        hooks: those that are looked for.
        kinds: what a callback is if it is one of these classes; the others are a `callback`.

    Returns what there is to be seen of each: its name (its class, and a number from the second one on), its kind, and
    its hooks.
    """
    owners = []
    for index, callback in enumerate(callbacks):
        own = [name for name in hooks if getattr(type(callback), name) is not getattr(base, name)]
        alike = sum(type(other) is type(callback) for other in callbacks[:index])
        name = type(callback).__name__ + (str(alike + 1) if alike else "")
        for hook in own:
            setattr(callback, hook, recorded(getattr(callback, hook), f"{name}.{hook}", recorder, position))
        kind = next((kind for kind, known in kinds.items() if isinstance(callback, known)), "callback")
        owners.append({"name": name, "kind": kind, "hooks": own})
    return owners
