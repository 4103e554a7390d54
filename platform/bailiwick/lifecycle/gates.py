"""Gates: pure functions from evidence about a version to the reasons to reject it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from bailiwick.core.errors import Invalid

Z_95 = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Tier:
    """What one risk tier demands; `policies/gates.yaml` explains each value."""

    name: str
    min_holdout_rows: int
    min_accuracy: float
    min_gain_over_majority: float
    min_gain_over_champion: float
    max_unknown_label_ratio: float
    max_parameters: int
    approvals: int


@dataclass(frozen=True, slots=True)
class Paired:
    """How candidate and champion answered the same holdout rows (counts)."""

    both: int
    only_candidate: int
    only_champion: int
    neither: int

    @property
    def rows(self) -> int:
        """All rows that were compared."""
        return self.both + self.only_candidate + self.only_champion + self.neither

    @property
    def gain(self) -> float:
        """The candidate's accuracy minus the champion's."""
        return (self.only_candidate - self.only_champion) / self.rows

    def gain_interval(self) -> tuple[float, float]:
        """95 % interval of the gain.

        With b rows that only the candidate and c rows that only the champion got right, of n:
        (b - c)/n ± 1.96 · sqrt(b + c - (b - c)²/n)/n, Wald's interval for a difference of
        paired proportions (Agresti, Categorical Data Analysis, 10.1.1). It is too short when
        b + c is below about 25, which is why tiers demand a minimum of rows.

        >>> low, high = Paired(both=600, only_candidate=130, only_champion=70, neither=200
        ...     ).gain_interval()
        >>> round(low, 3), round(high, 3)
        (0.033, 0.087)
        """
        n, b, c = self.rows, self.only_candidate, self.only_champion
        half = Z_95 * math.sqrt(b + c - (b - c) ** 2 / n) / n
        return self.gain - half, self.gain + half


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the gates look at; None is unknown, and unknown does not pass."""

    holdout_rows: int
    accuracy: float
    macro_f1: float
    majority_accuracy: float
    unknown_label_rows: int
    parameters: int
    champion_accuracy: float | None
    paired: Paired | None
    has_champion: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON, for the evaluation's row."""
        return asdict(self)


def load_tiers(path: Path) -> dict[str, Tier]:
    """Read `gates.yaml`; `Invalid` names the tier and the value that is wrong."""
    wanted = [field.name for field in fields(Tier) if field.name != "name"]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Invalid(f"{path.name} cannot be read: it needs a mapping `tiers`") from error
    tiers = document.get("tiers") if isinstance(document, dict) else None
    if not isinstance(tiers, dict):
        raise Invalid(f"{path.name} cannot be used: it needs a mapping `tiers`")
    for name, values in tiers.items():
        given = values if isinstance(values, dict) else {}
        wrong = {str(key) for key, value in given.items() if not _is_number(value)}
        wrong |= set(wanted) ^ set(map(str, given))
        if wrong:
            raise Invalid(
                f"tier {name!r} in {path.name} must give exactly these numbers: "
                f"{', '.join(wanted)} (wrong here: {', '.join(sorted(wrong))})"
            )
    return {name: Tier(name=name, **values) for name, values in tiers.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def tier_named(tiers: Mapping[str, Tier], name: str) -> Tier:
    """That tier, or `Invalid` with the names there are."""
    if name not in tiers:
        raise Invalid(f"there is no risk tier {name!r}; there are {', '.join(sorted(tiers))}")
    return tiers[name]


def reasons_to_reject(evidence: Evidence, tier: Tier) -> list[str]:
    """Why this version may not become champion; empty means that it passed every gate."""
    return [
        reason
        for reason in (
            *_absolute(evidence, tier),
            *_against_champion(evidence, tier),
        )
        if reason
    ]


def _absolute(evidence: Evidence, tier: Tier) -> list[str]:
    reasons = []
    if evidence.holdout_rows < tier.min_holdout_rows:
        reasons.append(
            f"only {evidence.holdout_rows} holdout rows, {tier.min_holdout_rows} are needed"
        )
    if not evidence.accuracy >= tier.min_accuracy:
        reasons.append(f"accuracy {evidence.accuracy:.3f} is below {tier.min_accuracy:.3f}")
    floor = evidence.majority_accuracy + tier.min_gain_over_majority
    if not evidence.accuracy >= floor:
        reasons.append(
            f"accuracy {evidence.accuracy:.3f} is not {tier.min_gain_over_majority:.3f} above "
            f"always answering the most frequent label ({evidence.majority_accuracy:.3f})"
        )
    unknown = evidence.unknown_label_rows / max(evidence.holdout_rows, 1)
    if unknown > tier.max_unknown_label_ratio:
        reasons.append(
            f"{unknown:.1%} of the holdout rows carry labels that it cannot answer, "
            f"{tier.max_unknown_label_ratio:.1%} are allowed"
        )
    if evidence.parameters > tier.max_parameters:
        reasons.append(f"{evidence.parameters:,} parameters, {tier.max_parameters:,} are allowed")
    return reasons


def _against_champion(evidence: Evidence, tier: Tier) -> list[str]:
    if not evidence.has_champion:
        return []
    if evidence.paired is None or not evidence.paired.rows:
        return ["it was not compared with the champion on the same rows"]
    low, high = evidence.paired.gain_interval()
    if low > tier.min_gain_over_champion:
        return []
    verdict = "worse than" if high < 0 else "not clearly better than"
    reason = (
        f"{verdict} the champion on the newest labelled rows: {evidence.paired.gain:+.3f} "
        f"accuracy, 95 % interval {low:+.3f} to {high:+.3f}, of which the lower end must "
        f"exceed {tier.min_gain_over_champion:+.3f}"
    )
    return [reason]
