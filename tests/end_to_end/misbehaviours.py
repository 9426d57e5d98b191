"""What a trial may do to itself and to its surroundings, called in its process as its second epoch starts."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

import torch

from harness.frameworks.lightning_package import pl

MEBIBYTE = 2**20
kept = []  # for as long as the process lives


def in_the_second_epoch(misbehave):
    def prelude():
        pl.LightningModule.on_train_epoch_start = lambda module: misbehave() if module.current_epoch == 1 else None

    return prelude


@in_the_second_epoch
def hang_deaf_to_signals():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pause()


@in_the_second_epoch
def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@in_the_second_epoch
def kill_itself_holding_much_memory():
    held = b"x" * (200 * MEBIBYTE)
    os.kill(os.getpid(), signal.SIGKILL)
    del held


@in_the_second_epoch
def kill_its_group():
    os.killpg(0, signal.SIGKILL)


@in_the_second_epoch
def kill_its_parent():
    signal.alarm(60)  # ends it if nobody else does
    os.kill(os.getppid(), signal.SIGKILL)
    signal.pause()


@in_the_second_epoch
def leave_at_once():
    os._exit(3)


@in_the_second_epoch
def leave():
    sys.exit(3)


@in_the_second_epoch
def raise_keyboard_interrupt():
    raise KeyboardInterrupt


@in_the_second_epoch
def interrupt_itself():
    os.kill(os.getpid(), signal.SIGINT)


@in_the_second_epoch
def terminate_itself():
    os.kill(os.getpid(), signal.SIGTERM)


@in_the_second_epoch
def crash_in_native_code():
    os.kill(os.getpid(), signal.SIGSEGV)


@in_the_second_epoch
def close_all_files():
    os.closerange(0, 1000)


@in_the_second_epoch
def leave_a_child_behind():
    print(subprocess.Popen(["sleep", "1000"]).pid)


@in_the_second_epoch
def leave_a_daemon_behind():
    print(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)


@in_the_second_epoch
def use_a_fork_server():
    """Its processes and its named semaphores end with the trial."""
    context = multiprocessing.get_context("forkserver")
    kept.append(context.Queue())
    child = context.Process(target=kept[-1].put, args=("told",))
    child.start()
    print(kept[-1].get())
    child.join()


@in_the_second_epoch
def leave_a_child_of_a_fork_server_behind():
    """Besides the server, and the tracker of its resources."""
    multiprocessing.get_context("forkserver").Process(target=time.sleep, args=(1000,)).start()


@in_the_second_epoch
def leave_shared_memory_behind():
    """As a process does that is killed with the tracker that would have removed it."""
    segment = shared_memory.SharedMemory(create=True, size=1)
    segment.buf[0] = 1
    resource_tracker.unregister(segment._name, "shared_memory")
    print(f"left: /dev/shm/{segment.name}")
    kept.append(segment)


@in_the_second_epoch
def leave_a_file_behind():
    path = Path(tempfile.gettempdir()).with_name("left")
    path.touch()
    print(f"left: {path}")


@in_the_second_epoch
def change_its_surroundings():
    os.chdir("/")
    os.environ.clear()
    os.umask(0o777)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(7)
    pl.Trainer.fit = torch.nn.Linear.forward = None


@in_the_second_epoch
def print_megabytes():
    for _ in range(8):
        print("x" * MEBIBYTE)
        print("x" * MEBIBYTE, file=sys.stderr)
