"""The gate on what a version gives away about the rows that it learned from."""

from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.lifecycle.tiers import Tier


def membership(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """No attack tells members from exchangeable non-members better than the tier allows.

    `figures`: {members, non_members, attacks: [{attack, auc, low, high}], alone}: the area under
    the curve is how often a member looks more like one than a non-member does, 0.5 is guessing.
    Its interval's upper end counts, so too few rows do not pass as safety. A deeper test is
    one more attack in the list. `alone` is the same of rows whose text no other row has, by
    their loss ({members, non_members, auc, low, high}), or None where they are too few to tell.
    """
    if not figures["attacks"]:
        raise ValueError
    for one in figures["attacks"]:
        if one["high"] > tier.max_membership_auc:
            yield (
                f"by its {one['attack']} a row that it learned from can be told from one that "
                f"it did not: in {one['auc']:.1%} of pairs, 95 % interval {one['low']:.1%} to "
                f"{one['high']:.1%} ({figures['members']:,} of each), of which the upper end "
                f"may reach {tier.max_membership_auc:.1%}"
            )
    alone = figures["alone"]
    if alone is not None and alone["high"] > tier.max_membership_auc_alone:
        yield (
            "by its loss a row whose text no other row has can be told from one that it did not "
            f"learn from: in {alone['auc']:.1%} of pairs, 95 % interval {alone['low']:.1%} to "
            f"{alone['high']:.1%} ({alone['members']:,} and {alone['non_members']:,}), of which "
            f"the upper end may reach {tier.max_membership_auc_alone:.1%}"
        )
