"""Weights that processes share: one copy, in place, and nothing left behind."""

import multiprocessing
import os
from typing import Any

import pytest
import torch

from harness.parallel.weights import ALIGNMENT, Slots, digest, tensors_of


def tensors() -> dict[str, torch.Tensor]:
    return {
        "weight": torch.randn(3, 5),
        "transposed": torch.randn(4, 6).t(),
        "half": torch.randn(7).to(torch.bfloat16),
        "count": torch.tensor(3),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0),
    }


def test_what_is_written_is_there_in_every_slot() -> None:
    first, second = tensors(), tensors()
    slots = Slots(first, 2)

    slots.write(0, first)
    slots.write(1, second)

    for slot, written in enumerate((first, second)):
        for name, view in slots.views[slot].items():
            assert view.dtype == written[name].dtype
            assert torch.equal(view, written[name])
            assert view.data_ptr() % ALIGNMENT == 0 or not view.numel()


@pytest.mark.parametrize(
    "others",
    [
        {"weight": torch.zeros(3), "new": torch.zeros(1)},
        {"weight": torch.zeros(1)},
        {},
    ],
    ids=["one more", "another shape", "one less"],
)
def test_what_there_is_no_room_for_is_refused(others: dict[str, torch.Tensor]) -> None:
    slots = Slots({"weight": torch.ones(3)}, 1)
    with pytest.raises(ValueError, match="have them from the start"):
        slots.write(0, others)


def test_digest_tells_names_and_contents_apart() -> None:
    one = {"a": torch.zeros(2), "b": torch.ones(2)}
    other = {"b": torch.zeros(2), "a": torch.ones(2)}
    bit = {"a": torch.zeros(2), "b": torch.tensor([1.0, 1.0000001])}

    assert digest(one) == digest({name: tensor.clone() for name, tensor in one.items()})
    assert len({digest(each) for each in (one, other, bit)}) == 3


def test_sum_sees_an_update_of_one_element() -> None:
    slots = Slots(tensors(), 1)
    slots.write(0, tensors())
    before = slots.sum(0)

    slots.views[0]["half"][2] += 1.0

    assert slots.sum(0) != before


def _doubles(slots: Slots, end: Any) -> None:
    slots.views[1]["weight"].mul_(2.0)
    end.send(digest(slots.views[1]))


def test_a_spawned_process_reads_and_writes_the_same_memory() -> None:
    written = tensors()
    slots = Slots(written, 2)
    slots.write(1, written)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()

    process = context.Process(target=_doubles, args=(slots, theirs))
    process.start()
    told = ours.recv()
    process.join()

    assert told == digest(slots.views[1])
    assert torch.equal(slots.views[1]["weight"], written["weight"] * 2)
    assert torch.equal(slots.views[0]["weight"], torch.zeros(3, 5))


def test_memory_has_no_name_and_is_given_up() -> None:
    before = set(os.listdir("/dev/shm")), set(os.listdir("/proc/self/fd"))
    slots = Slots(tensors(), 3)
    assert set(os.listdir("/dev/shm")) == before[0]

    slots.close()
    slots.write(0, tensors())  # views stay usable for those that have them
    del slots

    assert set(os.listdir("/proc/self/fd")) == before[1]


def test_buffers_that_no_checkpoint_has_are_among_the_tensors() -> None:
    module = torch.nn.BatchNorm1d(2)
    module.register_buffer("hidden", torch.zeros(1), persistent=False)

    assert set(tensors_of(module)) == {"weight", "bias", "running_mean", "running_var", "num_batches_tracked", "hidden"}
