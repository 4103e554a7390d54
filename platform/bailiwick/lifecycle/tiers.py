"""Risk tiers: what a version must show before it may become champion, as numbers in a file."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import yaml

from bailiwick.core.errors import Invalid
from bailiwick.core.yaml_texts import parse_yaml


@dataclass(frozen=True, slots=True)
class Tier:
    """What one risk tier demands; `policies/gates.yaml` explains each value.

    Values with a default came later: a file from before them, which may still be in force,
    means these. A value named `max_...` is stricter the lower it is, any other the higher.
    """

    name: str
    min_holdout_rows: int
    min_accuracy: float
    min_gain_over_majority: float
    min_gain_over_champion: float
    max_unknown_label_ratio: float
    max_parameters: int
    approvals: int
    max_golden_loss: float = 0.03
    max_unjudged_slice_rows: int = 100
    max_slice_loss: float = 0.10
    max_calibration_error: float = 0.15
    max_latency_ms: float = 250.0
    max_latency_ratio: float = 2.0
    max_unnoticed_latency_ms: float = 25.0
    max_artifact_bytes: int = 500_000_000
    max_robustness_loss: float = 0.45
    max_robustness_loss_to_champion: float = 0.05
    max_duplicate_ratio: float = 0.80
    max_leaked_ratio: float = 0.35
    max_leaked_key_ratio: float = 0.0
    max_repeated_text_ratio: float = 0.95
    max_membership_auc: float = 0.75
    max_membership_auc_alone: float = 1.0
    reproduce: bool = False

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


def load_tiers(path: Path) -> dict[str, Tier]:
    """Read `gates.yaml`; `Invalid` names the tier and the value that is wrong."""
    try:
        return parse_tiers(path.name, path.read_bytes())
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: it needs a mapping `tiers`") from error


def parse_tiers(file: str, content: bytes) -> dict[str, Tier]:
    """The tiers that a file's content defines; raises as `load_tiers` does."""
    wanted = [field for field in fields(Tier) if field.name != "name"]
    names = {field.name for field in wanted}
    needed = {field.name for field in wanted if field.default is MISSING}
    switches = {field.name for field in wanted if field.type is bool}
    try:
        document = parse_yaml(content)
    except (ValueError, yaml.YAMLError) as error:
        raise Invalid(f"{file} cannot be read: it needs a mapping `tiers`") from error
    tiers = document.get("tiers") if isinstance(document, dict) else None
    if not isinstance(tiers, dict):
        raise Invalid(f"{file} cannot be used: it needs a mapping `tiers`")
    for name, values in tiers.items():
        given = values if isinstance(values, dict) else {}
        wrong = {
            str(key)
            for key, value in given.items()
            if not (isinstance(value, bool) if key in switches else _is_number(value))
        }
        wrong |= (needed - set(map(str, given))) | (set(map(str, given)) - names)
        if wrong:
            raise Invalid(
                f"tier {name!r} in {file} must give exactly these values: "
                f"{', '.join(field.name for field in wanted)} "
                f"(wrong here: {', '.join(sorted(wrong))})"
            )
    return {name: Tier(name=name, **values) for name, values in tiers.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def tier_named(tiers: Mapping[str, Tier], name: str) -> Tier:
    """That tier, or `Invalid` with the names there are."""
    if name not in tiers:
        raise Invalid(f"there is no risk tier {name!r}; there are {', '.join(sorted(tiers))}")
    return tiers[name]
