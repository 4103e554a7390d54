"""Classification as a pure lattice: how sensitive, who needs to know, where, and what for.

Label `a` dominates label `b` when all that `a` allows, `b` allows too: the level of `a` is at
least as high, it has every compartment of `b`, and no zone and no purpose that `b` lacks.
What is made from several inputs carries their join, the least label that dominates them all
(D. Denning, A Lattice Model of Secure Information Flow, CACM 19(5), 1976).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

from bailiwick.core import errors
from bailiwick.core.yaml_texts import parse_yaml

Names = frozenset[str]
UNSTATED_WAIVER_APPROVALS = 2
UNSTATED_GRACE_HOURS = 24


class IncompatibleLabels(errors.Invalid):
    """No zone or no purpose is left that all inputs allow; `details["inputs"]` names them."""

    code = "incompatible-labels"


@dataclass(frozen=True, slots=True)
class Label:
    """One classification. Whether its names exist is for `Scheme.parse` to say.

    `compartments` are needed, so more are stricter; `residency` (zones) and `purposes` are
    allowed, so fewer are stricter.
    """

    level: str
    compartments: Names
    residency: Names
    purposes: Names

    @property
    def is_sealed(self) -> bool:
        """Whether it allows nothing: no place, or no purpose, is left."""
        return not (self.residency and self.purposes)

    def to_dict(self) -> dict[str, Any]:
        """The label as JSON with sorted lists: equal labels are equal bytes."""
        return {
            "level": self.level,
            "compartments": sorted(self.compartments),
            "residency": sorted(self.residency),
            "purposes": sorted(self.purposes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, for labels that were checked when stored.

        Raises `errors.Invalid` when the shape is wrong.
        """
        sets = {key: data.get(key) for key in ("compartments", "residency", "purposes")}
        if set(data) != {"level", *sets} or not isinstance(data["level"], str):
            raise errors.Invalid(
                "A label has a level (one name) and compartments, residency and purposes "
                f"(lists of names), no more and no less; this one has {sorted(map(str, data))}."
            )
        for key, names in sets.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise errors.Invalid(f"A label's {key} must be a list of names; write [] for none.")
        return cls(data["level"], **{key: frozenset(names or ()) for key, names in sets.items()})


@dataclass(frozen=True, slots=True)
class OutOfPolicy:
    """What becomes of a deployment that the policies would not allow any more.

    It is stopped when `grace_hours` have passed, or only reported (`stop: false`).
    """

    stop: bool = True
    grace_hours: int = UNSTATED_GRACE_HOURS


@dataclass(frozen=True, slots=True)
class Scheme:
    """The words that labels are made of, and the order between them.

    `levels` go from least to most sensitive; `compartments` and `purposes` map a name to what
    it means; `zones` maps a zone to the zone around it, None for an outermost one;
    `waiver_approvals` maps a level to how many people must approve that it counts as less.
    """

    levels: tuple[str, ...]
    compartments: Mapping[str, str]
    zones: Mapping[str, str | None]
    purposes: Mapping[str, str]
    waiver_approvals: Mapping[str, int] = field(default_factory=dict)
    out_of_policy: OutOfPolicy = OutOfPolicy()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `classification.yaml`; raises `errors.Invalid` naming the file and the fault."""
        try:
            return cls.parse_file(path.name, path.read_bytes())
        except OSError as error:
            raise errors.Invalid(f"{path.name} cannot be read ({error.strerror}).") from error

    @classmethod
    def parse_file(cls, name: str, content: bytes) -> Self:
        """The scheme that a file's content defines; raises as `load` does."""
        try:
            data = parse_yaml(content)
            levels, zones = tuple(data["levels"]), list(_walk(data["zones"], None))
            words = dict(data["compartments"]), dict(zones), dict(data["purposes"])
            scheme = cls(levels, *words, _approvals(data, levels), _out_of_policy(data))
        except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            raise errors.Invalid(
                f"{name} cannot be read as a classification: {error!r}. It needs levels "
                "(a list), compartments and purposes (name: meaning) and zones (a tree)."
            ) from error
        if not levels or len(set(levels)) < len(levels) or len(scheme.zones) < len(zones):
            raise errors.Invalid(f"{name} must name each level and each zone exactly once.")
        return scheme

    def level_number(self, level: str) -> int:
        """0 for the least sensitive level; an unknown name raises `errors.Invalid`."""
        _check_known("level", {level}, self.levels)
        return self.levels.index(level)

    def approvals_to_waive(self, level: str) -> int:
        """How many other people must approve that something of this level counts as less."""
        return self.waiver_approvals.get(level, UNSTATED_WAIVER_APPROVALS)

    def zone_with_ancestors(self, zone: str) -> Names:
        """The zone and all zones around it: `de` gives `{de, eu, world}`."""
        _check_known("zone", {zone}, self.zones)
        return frozenset(self._outwards(zone))

    def within(self, zone: str, residency: Iterable[str]) -> bool:
        """Whether `zone` is one of `residency` or lies inside one of them."""
        return not self.zone_with_ancestors(zone).isdisjoint(residency)

    def parse(self, data: Mapping[str, Any]) -> Label:
        """A label from outside: shape and names checked, residency in its shortest form."""
        return self.check(Label.from_dict(data))

    def check(self, label: Label) -> Label:
        """`label` in normal form; unknown names, no zone or no purpose raise `errors.Invalid`."""
        if label.is_sealed:
            raise errors.Invalid(
                "A label must allow at least one zone and one purpose: "
                "nothing could ever be done with the data otherwise."
            )
        return self.known(label)

    def known(self, label: Label) -> Label:
        """The same, but a sealed label is one too: such a label is met, never given."""
        _check_known("level", {label.level}, self.levels)
        _check_known("compartment", label.compartments, self.compartments)
        _check_known("zone", label.residency, self.zones)
        _check_known("purpose", label.purposes, self.purposes)
        return replace(label, residency=self._shortest(self._spread(label.residency)))

    def dominates(self, a: Label, b: Label) -> bool:
        """Whether what carries `a` may hold what carries `b`."""
        return (
            self.level_number(a.level) >= self.level_number(b.level)
            and a.compartments >= b.compartments
            and self._spread(a.residency) <= self._spread(b.residency)
            and a.purposes <= b.purposes
        )

    def join(self, labels: Iterable[tuple[str, Label]]) -> Label:
        """The least label that dominates every input; inputs are (name, label) pairs.

        Raises `IncompatibleLabels` when the inputs leave no common zone or purpose, and
        `errors.Invalid` for no inputs at all: a forgotten input must not yield a public label.
        """
        inputs = list(labels)
        joined = self.join_or_seal(label for _, label in inputs)
        if joined.is_sealed:
            spread = [(name, self._spread(label.residency)) for name, label in inputs]
            _check_common("zone", spread, self._shortest)
            _check_common("purpose", [(name, label.purposes) for name, label in inputs], frozenset)
        return joined

    def join_or_seal(self, labels: Iterable[Label]) -> Label:
        """The least label that dominates every input, sealed where `join` refuses.

        For what has been made already: only labels that rise afterwards lead there. What is
        still to be made asks `join`.
        """
        inputs = list(labels)
        if not inputs:
            raise errors.Invalid("There is no label to join: name at least one labelled input.")
        zones = frozenset.intersection(*(self._spread(label.residency) for label in inputs))
        return Label(
            max((label.level for label in inputs), key=self.level_number),
            frozenset().union(*(label.compartments for label in inputs)),
            self._shortest(zones),
            frozenset.intersection(*(label.purposes for label in inputs)),
        )

    def meet(self, labels: Iterable[Label]) -> Label:
        """The greatest label that every input dominates; at least one input."""
        inputs = list(labels)
        if not inputs:
            raise errors.Invalid("There is no label to meet: pass at least one.")
        return Label(
            min((label.level for label in inputs), key=self.level_number),
            frozenset.intersection(*(label.compartments for label in inputs)),
            self._shortest(self._spread(frozenset().union(*(x.residency for x in inputs)))),
            frozenset().union(*(label.purposes for label in inputs)),
        )

    def _spread(self, residency: Names) -> Names:
        """Every zone that lies within `residency`."""
        _check_known("zone", residency, self.zones)
        return frozenset(
            zone for zone in self.zones if not residency.isdisjoint(self._outwards(zone))
        )

    def _outwards(self, zone: str) -> Iterator[str]:
        around: str | None = zone
        while around is not None:
            yield around
            around = self.zones[around]

    def _shortest(self, zones: Names) -> Names:
        """The fewest zones that spread to `zones`, which must be spread already."""
        return frozenset(zone for zone in zones if self.zones[zone] not in zones)


def _approvals(data: Mapping[str, Any], levels: tuple[str, ...]) -> dict[str, int]:
    given = dict(data.get("waiver_approvals") or {})
    if set(given) - set(levels) or not all(type(n) is int and n > 0 for n in given.values()):
        raise ValueError(f"waiver_approvals gives levels whole numbers from 1, not {given}")
    return given


def _out_of_policy(data: Mapping[str, Any]) -> OutOfPolicy:
    given = OutOfPolicy(**(data.get("out_of_policy") or {}))
    if type(given.stop) is not bool or type(given.grace_hours) is not int or given.grace_hours < 0:
        raise ValueError(
            "out_of_policy has stop (true or false) and grace_hours (a whole number from 0), "
            f"not {data['out_of_policy']}"
        )
    return given


def _walk(tree: Mapping[str, Any] | None, around: str | None) -> Iterator[tuple[str, str | None]]:
    for zone, inside in (tree or {}).items():
        yield zone, around
        yield from _walk(inside, zone)


def _check_known(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise errors.Invalid(
            f"There is no {kind} named {', '.join(unknown)}; known are {', '.join(known)}.",
            unknown=unknown,
            known=list(known),
        )


def _check_common(kind: str, sets: list[tuple[str, Names]], show: Callable[[Names], Names]) -> None:
    """Raise where the intersection of named sets is empty, naming who contradicts whom."""
    common = sets[0][1]
    for position, (name, names) in enumerate(sets):
        common &= names
        if common:
            continue
        earlier = sets[: position + 1]
        # Usually two inputs contradict each other; three may do so only together.
        pair = [(other, theirs) for other, theirs in earlier[:-1] if not theirs & names][:1]
        culprits = [*pair, (name, names)] if pair else earlier
        says = "; ".join(
            f"{who} allows {', '.join(sorted(show(what))) or 'none'}" for who, what in culprits
        )
        raise IncompatibleLabels(
            f"These inputs cannot be used together, no {kind} is allowed by all of them: {says}. "
            "Leave one out, or ask the data steward for a waiver.",
            kind=kind,
            inputs=[who for who, _ in culprits],
        )
