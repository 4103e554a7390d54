"""A serving process leaves what is loaded alone, and still collects what it makes."""

import gc
import weakref

from bailiwick.core.garbage import THRESHOLDS, leave_what_is_loaded


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_loaded_is_left_alone_and_circles_go() -> None:
    before = gc.get_threshold()
    try:
        leave_what_is_loaded()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold() == THRESHOLDS
        circle = weakref.ref(Circle())
        gc.collect()
        assert circle() is None
    finally:
        gc.set_threshold(*before)
