"""Gates on how sure answers are, and on how much small changes of the texts cost."""

from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.lifecycle.comparing import Paired
from bailiwick.lifecycle.tiers import Tier

_CHANGES = {"casing": "other casing", "cut": "texts cut short"}


def named(change: str) -> str:
    """What was done to the texts, as in `with typos`."""
    return _CHANGES.get(change, change)


def calibration(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """The expected calibration error is within the tier's bound, or no worse than the champion's.

    `figures`: {rows, error, champion_error}; errors are shares, the champion's may be None.
    """
    error, champion = float(figures["error"]), figures["champion_error"]
    if error <= tier.max_calibration_error or (champion is not None and error <= champion):
        return
    beside = f" (the champion's is {champion:.3f})" if champion is not None else ""
    yield (
        f"its confidence is off by {error:.3f} on average{beside}, "
        f"{tier.max_calibration_error:.3f} is allowed"
    )


def robustness(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """Changed texts cost at most the tier's share of accuracy, and it stays beside the champion.

    `figures`: {rows, accuracy, changes: [{change, accuracy, paired}]}, all of the same rows;
    `paired` compares with the champion on the changed texts, None without one. The interval's
    upper end must reach -`max_robustness_loss_to_champion`: it fails where it is clearly worse.
    """
    if not figures["changes"]:
        raise ValueError
    for one in figures["changes"]:
        change = named(one["change"])
        loss = float(figures["accuracy"]) - float(one["accuracy"])
        if loss > tier.max_robustness_loss:
            yield (
                f"with {change} it loses {loss:.3f} accuracy ({figures['accuracy']:.3f} to "
                f"{one['accuracy']:.3f} on {figures['rows']:,} rows), "
                f"{tier.max_robustness_loss:.3f} is allowed"
            )
        if one["paired"] is None:
            continue
        paired = Paired(**one["paired"])
        low, high = paired.cautious_interval()
        if high < 0 and -paired.gain > tier.max_robustness_loss_to_champion:
            yield (
                f"worse than the champion with {change}: {paired.gain:+.3f} accuracy on "
                f"{paired.rows:,} rows, 95 % interval {low:+.3f} to {high:+.3f}, "
                f"{-tier.max_robustness_loss_to_champion:+.3f} is allowed"
            )
