"""Gates on what running a version takes, and on whether it can be made again."""

from collections.abc import Iterator, Mapping
from typing import Any

from bailiwick.lifecycle.tiers import Tier


def latency(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """One request is answered fast enough, and not much slower than by the champion.

    `figures`: {requests, p95_ms, champion_p95_ms}, both measured in turns on one machine, the
    champion's None without one. Below `max_unnoticed_latency_ms` the ratio is not asked.
    """
    own, champion = float(figures["p95_ms"]), figures["champion_p95_ms"]
    if own > tier.max_latency_ms:
        yield f"95 % of requests take up to {own:.1f} ms, {tier.max_latency_ms:g} ms are allowed"
    if champion is None or own <= tier.max_unnoticed_latency_ms:
        return
    if own > tier.max_latency_ratio * float(champion):
        yield (
            f"95 % of requests take up to {own:.1f} ms, and {float(champion):.1f} ms with the "
            f"champion: {tier.max_latency_ratio:g} times as long is allowed"
        )


def size(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """The files together are within the tier's bytes. `figures`: {bytes, champion_bytes}."""
    if figures["bytes"] > tier.max_artifact_bytes:
        yield (
            f"its files take {figures['bytes']:,} bytes, {tier.max_artifact_bytes:,} are allowed"
        )


def reproducibility(figures: Mapping[str, Any], tier: Tier) -> Iterator[str]:
    """Trained twice with one seed on one machine, its files have the same digests.

    `figures`: {same, seconds, differing: [paths]}.
    """
    del tier  # whether it is asked at all is the tier's `reproduce`
    if figures["same"] is not True:
        yield (
            "trained again with the same seed it is another model: "
            f"{', '.join(figures['differing'])} differ"
        )
