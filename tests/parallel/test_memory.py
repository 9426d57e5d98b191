"""What is written is read, whatever was there."""

import multiprocessing
from contextlib import closing

from harness.parallel.memory import Memory


def test_slots_hold_what_was_written_last():
    with closing(Memory(2)) as memory:
        for content in ("long" * 1000, "short"):
            memory.write(0, content)
            memory.write(1, content * 2)
            assert [memory.read(0), memory.read(1)] == [content, content * 2]


def test_another_process_writes_to_it():
    with closing(Memory(1)) as memory:
        memory.write(0, "from here")
        other = multiprocessing.get_context("spawn").Process(target=memory.write, args=(0, "from there"))
        other.start()
        other.join()
        assert memory.read(0) == "from there"
