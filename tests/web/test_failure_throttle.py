from bailiwick.web.throttle import MAX_ADDRESSES, Throttle


def test_old_failures_are_forgiven_and_others_are_not_held_liable() -> None:
    throttle = Throttle(10, window_seconds=900.0)
    for _ in range(10):
        throttle.note_failure("10.0.0.1", 0.0)
    assert throttle.wait_seconds("10.0.0.1", 1.0) == 899
    assert throttle.wait_seconds("10.0.0.2", 1.0) == 0
    assert throttle.wait_seconds("10.0.0.1", 900.0) == 0


def test_the_memory_of_failures_is_bounded() -> None:
    throttle = Throttle(10, window_seconds=900.0)
    for number in range(MAX_ADDRESSES + 5):
        throttle.note_failure(str(number), 0.0)
    assert len(throttle._failures) == MAX_ADDRESSES
