"""Gates that compare with the champion on the same rows: the golden set, classes, segments."""

from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.lifecycle.comparing import Paired, holm
from bailiwick.lifecycle.tiers import Tier

ALPHA = 0.05  # the chance that a candidate as good as its champion is rejected by `slices`


def golden_set(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """The lower end of the gain's cautious 95 % interval must lie above -`max_golden_loss`.

    `figures`: {rows, accuracy, leaked_rows, paired}; `paired` is None where there is no
    champion, and then there is nothing to be worse than. Golden rows that were learned from
    prove nothing: of them there may be as many as of the newest rows (`max_leaked_ratio`).
    """
    leaked = figures["leaked_rows"] / figures["rows"]
    if leaked > tier.max_leaked_ratio:
        yield (
            f"{leaked:.1%} of the golden set was learned from, with time, text and label, "
            f"{tier.max_leaked_ratio:.1%} are allowed: name rows that nothing is trained on"
        )
    if figures["paired"] is None:
        return
    paired = Paired(**figures["paired"])
    low, high = paired.cautious_interval()
    if low >= -tier.max_golden_loss:
        return
    verdict = "worse" if high < 0 else "not shown to be as good"
    yield (
        f"{verdict} on the golden set's {paired.rows:,} rows: {paired.gain:+.3f} accuracy, "
        f"95 % interval {low:+.3f} to {high:+.3f}, of which the lower end must reach "
        f"{-tier.max_golden_loss:+.3f}"
    )


def slices(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """No class and no declared segment of more than `max_unjudged_slice_rows` rows has lost.

    `figures`: {slices: [{by, value, paired}], missing: [names of segments that no row has],
    largest_left_out: rows}. A slice has lost if it lost more than `max_slice_loss` of accuracy
    and McNemar's exact test says so after Holm's correction over all slices judged: together
    they reject a candidate as good as its champion at most 5 times in 100. NOT guaranteed:
    that a loss in a small slice is noticed.
    """
    for name in figures["missing"]:
        yield f"the segment {name} is declared, and no row that it was judged on has it"
    if figures["largest_left_out"] > tier.max_unjudged_slice_rows:
        yield (
            "there are too many slices: one of "
            f"{figures['largest_left_out']:,} rows was left out; declare fewer segments"
        )
    judged = [
        (one, Paired(**one["paired"]))
        for one in figures["slices"]
        if one["paired"] is not None and sum(one["paired"].values()) > tier.max_unjudged_slice_rows
    ]
    chances = holm([paired.chance_of_so_many_lost() for _, paired in judged])
    for (one, paired), chance in zip(judged, chances, strict=True):
        if chance >= ALPHA or -paired.gain <= tier.max_slice_loss:
            continue
        low, high = paired.cautious_interval(intervals=len(judged))
        yield (
            f"worse than the champion on {one['by']} {one['value']!r} ({paired.rows:,} rows): "
            f"{paired.gain:+.3f} accuracy, interval {low:+.3f} to {high:+.3f}, p = {chance:.2g} "
            f"(of {len(judged)} slices, Holm); {-tier.max_slice_loss:+.3f} is allowed"
        )
