"""Gathers a process's memory in huge pages, so that it forks sooner.

A fork copies a table entry for every page of 4 KiB, and of torch and Lightning there are 70,000; a huge page has one.
Linux only, from 6.1 on (`man 2 madvise`, ``MADV_COLLAPSE``); elsewhere all stays as it is.
"""

import ctypes
import sys
from contextlib import suppress

MADV_COLLAPSE = 25
SIZE = 2 << 20  # of a huge page, on x86-64 and on most of ARM


def gather() -> None:
    """Collapse the anonymous memory that this process may write to."""
    if not sys.platform.startswith("linux"):
        return
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    with suppress(OSError), open("/proc/self/maps") as maps:
        for line in maps.read().splitlines():
            span, access, _, _, inode, *name = line.split()
            if access != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
                continue
            begin, end = (int(address, 16) for address in span.split("-"))
            for address in range(-begin // SIZE * -SIZE, end - SIZE + 1, SIZE):
                advise(address, SIZE, MADV_COLLAPSE)  # which may refuse one and take the next
