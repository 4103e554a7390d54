"""Gates: pure functions from evidence about a version to the reasons to reject it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from bailiwick.core.errors import Invalid
from bailiwick.core.yaml_texts import parse_yaml

Z_95 = 1.959964  # two-sided 95 % of the normal distribution
# The gates by id, and what each one asks for. All but `evidence` are values of a tier.
GATES = {
    "evidence": "What the other gates look at is known",
    "min_holdout_rows": "Enough rows to judge by",
    "min_accuracy": "Accuracy",
    "min_gain_over_majority": "Better than always answering the most frequent label",
    "max_unknown_label_ratio": "Knows the labels that occur",
    "max_parameters": "Small enough to run",
    "min_gain_over_champion": "Clearly better than the champion",
}
# What is unknown cannot be excused: nobody could say what they excuse.
WAIVABLE_GATES = frozenset(GATES) - {"evidence"}


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

    def demands_less_than(self, other: "Tier") -> bool:
        """Whether this tier lets anything pass that the other one would stop."""
        pairs = [
            (field.name, getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
            if field.name != "name"
        ]
        return any(
            own > theirs if name.startswith("max_") else own < theirs for name, own, theirs in pairs
        )


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


@dataclass(frozen=True, slots=True)
class Rejection:
    """A gate that was not passed, by its id in `GATES`, and why."""

    gate: str
    reason: str


def load_tiers(path: Path) -> dict[str, Tier]:
    """Read `gates.yaml`; `Invalid` names the tier and the value that is wrong."""
    try:
        return parse_tiers(path.name, path.read_bytes())
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: it needs a mapping `tiers`") from error


def parse_tiers(file: str, content: bytes) -> dict[str, Tier]:
    """The tiers that a file's content defines; raises as `load_tiers` does."""
    wanted = [field.name for field in fields(Tier) if field.name != "name"]
    try:
        document = parse_yaml(content)
    except (ValueError, yaml.YAMLError) as error:
        raise Invalid(f"{file} cannot be read: it needs a mapping `tiers`") from error
    tiers = document.get("tiers") if isinstance(document, dict) else None
    if not isinstance(tiers, dict):
        raise Invalid(f"{file} cannot be used: it needs a mapping `tiers`")
    for name, values in tiers.items():
        given = values if isinstance(values, dict) else {}
        wrong = {str(key) for key, value in given.items() if not _is_number(value)}
        wrong |= set(wanted) ^ set(map(str, given))
        if wrong:
            raise Invalid(
                f"tier {name!r} in {file} must give exactly these numbers: "
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


def reasons_to_reject(evidence: Evidence, tier: Tier) -> list[Rejection]:
    """Why this version may not become champion; empty means that it passed every gate."""
    return [*_absolute(evidence, tier), *_against_champion(evidence, tier)]


def _absolute(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    if evidence.holdout_rows < tier.min_holdout_rows:
        yield Rejection(
            "min_holdout_rows",
            f"only {evidence.holdout_rows} holdout rows, {tier.min_holdout_rows} are needed",
        )
    yield from _accurate(evidence, tier)
    unknown = evidence.unknown_label_rows / max(evidence.holdout_rows, 1)
    if unknown > tier.max_unknown_label_ratio:
        yield Rejection(
            "max_unknown_label_ratio",
            f"{unknown:.1%} of the holdout rows carry labels that it cannot answer, "
            f"{tier.max_unknown_label_ratio:.1%} are allowed",
        )
    if evidence.parameters > tier.max_parameters:
        yield Rejection(
            "max_parameters",
            f"{evidence.parameters:,} parameters, {tier.max_parameters:,} are allowed",
        )


def _accurate(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    floor = evidence.majority_accuracy + tier.min_gain_over_majority
    if not (math.isfinite(evidence.accuracy) and math.isfinite(floor)):
        yield Rejection("evidence", "its accuracy, or what it is compared with, is not a number")
        return
    if evidence.accuracy < tier.min_accuracy:
        yield Rejection(
            "min_accuracy",
            f"accuracy {evidence.accuracy:.3f} is below {tier.min_accuracy:.3f}",
        )
    if evidence.accuracy < floor:
        yield Rejection(
            "min_gain_over_majority",
            f"accuracy {evidence.accuracy:.3f} is not {tier.min_gain_over_majority:.3f} above "
            f"always answering the most frequent label ({evidence.majority_accuracy:.3f})",
        )


def _against_champion(evidence: Evidence, tier: Tier) -> Iterator[Rejection]:
    if not evidence.has_champion:
        return
    if evidence.paired is None or not evidence.paired.rows:
        yield Rejection("evidence", "it was not compared with the champion on the same rows")
        return
    low, high = evidence.paired.gain_interval()
    if low > tier.min_gain_over_champion:
        return
    verdict = "worse than" if high < 0 else "not clearly better than"
    yield Rejection(
        "min_gain_over_champion",
        f"{verdict} the champion on the newest labelled rows: {evidence.paired.gain:+.3f} "
        f"accuracy, 95 % interval {low:+.3f} to {high:+.3f}, of which the lower end must "
        f"exceed {tier.min_gain_over_champion:+.3f}",
    )
