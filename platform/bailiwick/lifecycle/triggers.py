"""What sets a retraining off, and what holds one back. Pure.

A policy is considered again and again. It is set off by any of its triggers, each of which acts
once for one cause (a check, a day of its calendar, a version); a job is started if, besides, all
conditions of `only_if` hold and nothing holds it back. Triggers and conditions are of the same
kinds and look at the same facts, whose `since` is when the newest retraining that succeeded began.
A cause that was acted on is done, also if the job failed: it says so, and was tried three times.

| kind | value | acts when |
| --- | --- | --- |
| `severity` | note, warning, page | an alert of the deployment that stands is at least that loud |
| `cron` | five fields, UTC | such a moment has come since |
| `accuracy-below` | share | accuracy, by labels or a trusted estimate, surely lies below (95 %) |
| `new-labels` | rows | so many labels have come since |
| `new-class` | rows | a label that the champion does not know has come so often since |
| `age-days` | days | the champion was trained so long ago |
| `new-data` | | a version of the policy's dataset was brought in since |
| `label-raised` | | the champion's confidentiality label has risen since it was trained |
| `erasure` | | texts were erased since that the champion had learned from |
| `new-base` | | the model that it was made from has a newer champion |
| `new-inputs` | | a dataset that it learned from, through any hops, has a newer version |
| `new-rules` | | other policies have come into force since it was trained |
| `strategy` | `cost-aware by=week price=80 budget=12` | that strategy would retrain now |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self, get_args

from bailiwick.core.errors import Invalid
from bailiwick.lifecycle.live_rules import LiveRule
from bailiwick.lifecycle.schedules import next_due
from bailiwick.lifecycle.strategies import Decision
from bailiwick.notifications import Severity
from bailiwick.notifications.recurrence import Weekly

Kind = Literal[
    "severity",
    "cron",
    "accuracy-below",
    "new-labels",
    "new-class",
    "age-days",
    "new-data",
    "label-raised",
    "erasure",
    "new-base",
    "new-inputs",
    "new-rules",
    "strategy",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
_COUNTS = ("new-labels", "new-class", "age-days")
_BARE = ("new-data", "label-raised", "erasure", "new-base", "new-inputs", "new-rules")
# One that no interval of checks or calendars could make sense of.
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Trigger:
    """One kind of reason, with the value that kind takes. Raises `Invalid` for any other."""

    kind: str
    value: str | float | None = None

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise Invalid(fault)

    def _fault(self) -> str | None:
        """Why the value does not fit the kind, if it does not."""
        kind, value = self.kind, self.value
        known = [str(one) for one in Severity]
        number = value if isinstance(value, (int, float)) else 0.0
        faults = {
            "severity": None if value in known else f"severity is one of {', '.join(known)}",
            "accuracy-below": None if 0 < number < 1 else f"{kind} takes a share between 0 and 1",
            "cron": None,
            "strategy": None,
        }
        if kind == "strategy":
            LiveRule.parsed(str(value or ""))
        if kind == "cron":
            next_due(str(value), after=datetime(2026, 1, 1, tzinfo=UTC))
        if kind in _BARE:
            return None if value is None else f"{kind} takes no value"
        if kind in _COUNTS:
            whole = 1 <= number <= _MOST and number == int(number)
            return None if whole else f"{kind} takes a whole number, 1 or more"
        return faults.get(kind, f"there is no trigger {kind!r}; there are {', '.join(KINDS)}")

    @classmethod
    def parsed(cls, text: str) -> Self:
        """As it is written on a command line.

        >>> Trigger.parsed("new-labels:500")
        Trigger(kind='new-labels', value=500.0)
        """
        kind, _, value = text.partition(":")
        if kind in (*_COUNTS, "accuracy-below"):
            try:
                return cls(kind, float(value))
            except ValueError:
                raise Invalid(f"{kind} takes a number: {kind}:500") from None
        return cls(kind, value or None)

    @property
    def rule(self) -> LiveRule | None:
        """The strategy that it asks, if it asks one."""
        return LiveRule.parsed(str(self.value)) if self.kind == "strategy" else None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"kind": self.kind, "value": self.value}

    def __str__(self) -> str:
        if self.value is None:
            return self.kind
        shown = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.kind}:{shown}"


@dataclass(frozen=True, slots=True)
class Loud:
    """An alert that stands: what it is about names it, so that a new finding is a new cause."""

    key: str
    kind: str
    severity: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What a check says of accuracy: the upper end of its 95 % interval, and by what."""

    key: str
    value: float
    upper: float
    by: Literal["labels", "estimate"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a deployment when its policy is considered.

    `new_labels`: labels received since, by label; `classes`: those that the champion knows.
    `erasures`, `new_base`, `new_inputs`, `rules`: ids of what changed upstream of it. `decisions`:
    what each strategy that is asked says, by its trigger's value, with the period as its key.
    """

    at: datetime
    since: datetime
    calendar_since: datetime  # days of a calendar count from the newest job on
    champion: str
    trained_at: datetime
    classes: frozenset[str] = frozenset()
    alerts: Sequence[Loud] = ()
    accuracy: Sequence[Accuracy] = ()
    new_labels: Mapping[str, int] = field(default_factory=dict)
    new_data: Sequence[str] = ()
    raised: str | None = None
    erasures: Sequence[str] = ()
    new_base: str | None = None
    new_inputs: Sequence[str] = ()
    rules: str | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cause:
    """What set a retraining off. `key` is the same for the same cause.

    `alert`: the alert's id, where one is answered.
    """

    kind: str
    key: str
    sentence: str
    alert: str | None = None


def cause_of(trigger: Trigger, facts: Facts) -> Cause | None:
    """What the trigger finds in the facts, if anything.

    >>> from datetime import timedelta
    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> facts = Facts(at, at, at, "v3", at - timedelta(days=120))
    >>> cause_of(Trigger("age-days", 90), facts).sentence
    'the champion was trained 120 days ago'
    """
    found = _FINDERS[trigger.kind](trigger, facts)
    return None if found is None else Cause(trigger.kind, f"{trigger.kind}:{found[0]}", found[1])


Found = tuple[str, str] | None


def _severity(trigger: Trigger, facts: Facts) -> Found:
    least = Severity(str(trigger.value)).rank
    loud = [one for one in facts.alerts if Severity(one.severity).rank >= least]
    return (loud[0].key, f"an alert stands: {loud[0].severity}, {loud[0].kind}") if loud else None


def _cron(trigger: Trigger, facts: Facts) -> Found:
    due = next_due(str(trigger.value), after=facts.calendar_since)
    return (due.isoformat(), f"it was due on {due:%Y-%m-%d %H:%M}") if due <= facts.at else None


def _accuracy(trigger: Trigger, facts: Facts) -> Found:
    bound = float(trigger.value or 0)
    for one in facts.accuracy:
        if one.upper < bound:
            said = f"accuracy by {one.by} is {one.value:.1%}, at most {one.upper:.1%}"
            return one.key, f"{said}: below {bound:.1%}"
    return None


def _new_labels(trigger: Trigger, facts: Facts) -> Found:
    rows, enough = sum(facts.new_labels.values()), int(trigger.value or 1)
    if rows < enough:
        return None
    key = f"{facts.since.isoformat()}:{rows // enough}"
    return key, f"{rows:,} labels have come since {facts.since:%Y-%m-%d}"


def _new_class(trigger: Trigger, facts: Facts) -> Found:
    new = {
        label: rows
        for label, rows in facts.new_labels.items()
        if label not in facts.classes and rows >= float(trigger.value or 0)
    }
    if not new:
        return None
    told = ", ".join(f"{label} ({rows:,})" for label, rows in sorted(new.items()))
    return f"{facts.champion}:{','.join(sorted(new))}"[:120], f"labels are new: {told}"


def _age(trigger: Trigger, facts: Facts) -> Found:
    days, old = (facts.at - facts.trained_at).days, int(trigger.value or 1)
    if days < old:
        return None
    return f"{facts.champion}:{days // old}", f"the champion was trained {days} days ago"


def _new_data(_: Trigger, facts: Facts) -> Found:
    if not facts.new_data:
        return None
    return facts.new_data[-1], f"{len(facts.new_data)} dataset version(s) were brought in"


def _raised(_: Trigger, facts: Facts) -> Found:
    return (facts.raised, "the champion's label has risen") if facts.raised else None


def _erasure(_: Trigger, facts: Facts) -> Found:
    if not facts.erasures:
        return None
    told = f"texts that the champion learned from were erased ({len(facts.erasures):,} times)"
    return facts.erasures[-1], told


def _new_base(_: Trigger, facts: Facts) -> Found:
    said = "the model that the champion was made from has a newer champion"
    return (facts.new_base, said) if facts.new_base else None


def _new_inputs(_: Trigger, facts: Facts) -> Found:
    if not facts.new_inputs:
        return None
    said = f"{len(facts.new_inputs)} newer version(s) of what the champion learned from"
    return facts.new_inputs[-1], said


def _new_rules(_: Trigger, facts: Facts) -> Found:
    return (facts.rules, "other policies have come into force") if facts.rules else None


def _strategy(trigger: Trigger, facts: Facts) -> Found:
    decision = facts.decisions.get(str(trigger.value))
    if decision is None or not decision.retrain:
        return None
    return f"{facts.champion}:{decision.keys[0]}:{trigger.value}"[:120], decision.reason


_FINDERS = {
    "severity": _severity,
    "cron": _cron,
    "accuracy-below": _accuracy,
    "new-labels": _new_labels,
    "new-class": _new_class,
    "age-days": _age,
    "new-data": _new_data,
    "label-raised": _raised,
    "erasure": _erasure,
    "new-base": _new_base,
    "new-inputs": _new_inputs,
    "new-rules": _new_rules,
    "strategy": _strategy,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are with a policy: what it may do now.

    `hours_used` and `labels_used` (by trainings) are those of the calendar month.
    """

    approved: bool
    under_way: bool
    rests_until: datetime | None
    hours_used: float
    labels_used: int = 0
    rolling_out: bool = False  # a rollout of the model's is in its shadow or canary


@dataclass(frozen=True, slots=True)
class Hold:
    """Why no job is started although something calls for one."""

    why: str
    sentence: str


def holds(
    facts: Facts,
    standing: Standing,
    *,
    only_if: Sequence[Trigger],
    budget_hours: float | None,
    budget_labels: int | None,
    blackouts: Sequence[Weekly],
) -> tuple[Hold, ...]:
    """All that holds a retraining back now, in words."""
    found = []
    if not standing.approved:
        found.append(Hold("not-approved", "nobody else has approved the policy as it stands"))
    if standing.under_way:
        found.append(Hold("under-way", "a retraining of this deployment is under way"))
    if standing.rolling_out:
        found.append(Hold("rolling-out", "another version is on its way to the champion's place"))
    if standing.rests_until is not None:
        until = f"{standing.rests_until:%Y-%m-%d %H:%M}"
        found.append(Hold("resting", f"the policy rests until {until}"))
    found += [
        Hold("blackout", f"nothing is retrained until {period[1]:%Y-%m-%d %H:%M}")
        for weekly in blackouts
        if (period := weekly.around(facts.at)) is not None
    ]
    if budget_hours is not None and standing.hours_used >= budget_hours:
        used = f"{standing.hours_used:.1f} of {budget_hours:g} hours of training"
        found.append(Hold("over-budget", f"{used} were used this month"))
    if budget_labels is not None and standing.labels_used >= budget_labels:
        used = f"trainings have learned from {standing.labels_used:,} labels of this month"
        found.append(Hold("over-budget", f"{used}, of {budget_labels:,} that they may"))
    found += [
        Hold("only-if", f"{condition} does not hold yet")
        for condition in only_if
        if cause_of(condition, facts) is None
    ]
    return tuple(found)
