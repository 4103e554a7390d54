"""Python's garbage collector in a process that serves: it looks at new objects, and seldom.

A batch of 10,000 records makes some hundred thousand objects, none of them in a circle. With
Python's own thresholds every few batches one waits twice as long, while all that is loaded is
looked through.
"""

import gc

THRESHOLDS = 50_000, 20, 50


def leave_what_is_loaded() -> None:
    """Call it once, when the process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
