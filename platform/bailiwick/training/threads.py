"""How job processes use the machine: few threads, repeatable, and memory that is kept."""

import ctypes
import os

import pyarrow as pa
import torch

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_KEPT_BYTES = 1 << 29


def use_threads(threads: int) -> None:
    """Keep every library's pool to `threads`, and computations repeatable."""
    os.environ["RAYON_NUM_THREADS"] = str(threads)  # read by tokenizers at its first batch
    pa.set_cpu_count(threads)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of giving it back after every step.

    Every step needs the same buffers again; fetching them anew from the kernel took about a
    tenth of the processor time of training, and half of it for a head on hundreds of labels,
    whose gradient is as large as the head. Other C libraries are left alone.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_MMAP_MAX, 0)  # however large: nothing is mapped on its own
