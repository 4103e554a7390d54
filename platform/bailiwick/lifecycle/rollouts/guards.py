"""Guards: what the requests of a rollout say against the new version. Pure.

Each guard is a bet (`monitoring.betting`) that the new version is worse than the champion by more
than its limit. In the shadow both answered the same request, and each request is a pair; as a
canary it answered others, and pairs are made of requests of the same stretch of time.

| guard | of one request | pairs |
| --- | --- | --- |
| errors | 1 if it was not answered | both |
| latency | 1 if it was slower than the reference | both |
| disagreement | 1 if the answers differ | shadow |
| estimated-accuracy | 1 less the calibrated confidence | both |
| accuracy | 1 if the label, once known, is another | both |

A plan's `false_rollbacks` is shared evenly by all bets that it can make (union bound), whatever
the number of steps, looks and requests: each alarms when its evidence reaches their number over
`false_rollbacks`.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import log
from typing import Any

from bailiwick.lifecycle.rollouts.plans import Plan
from bailiwick.monitoring.betting import Wager, bet, differences, exceeds

ERRORS, LATENCY, DISAGREEMENT = "errors", "latency", "disagreement"
ESTIMATED, ACCURACY = "estimated-accuracy", "accuracy"
ON_REQUESTS = (ERRORS, LATENCY, DISAGREEMENT, ESTIMATED)
SHADOWED, SPLIT = "shadow", "canary"


@dataclass(frozen=True, slots=True)
class Curve:
    """How often a version is right by its confidence: `rates` between ascending `edges`."""

    edges: tuple[float, ...]
    rates: tuple[float, ...]

    def at(self, confidence: float) -> float:
        """The calibrated confidence.

        >>> Curve((0.5,), (0.4, 0.8)).at(0.9)
        0.8
        """
        return self.rates[bisect_right(self.edges, confidence)]


@dataclass(frozen=True, slots=True)
class Reference:
    """What is known before: from which latency on a request is slow, and both curves.

    A guard whose part is None does not act, and is shown as such.
    """

    slow_ms: float | None = None
    champion: Curve | None = None
    challenger: Curve | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Reference":
        """The reference that `to_json` wrote."""
        if not value:
            return cls()  # not known yet
        curves = {
            name: Curve(tuple(value[name]["edges"]), tuple(value[name]["rates"]))
            for name in ("champion", "challenger")
            if value[name]
        }
        return cls(value["slow_ms"], **curves)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one version said to one request; of a failed one nothing but that is known."""

    failed: bool
    prediction: str | None = None
    confidence: float | None = None
    latency_ms: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All bets so far, and how much of the present step they are about.

    `wagers` by `phase:guard`; `requests`, `labels`: of the new version in this step, judged.
    """

    wagers: Mapping[str, Wager] = field(default_factory=dict)
    requests: int = 0
    labels: int = 0

    def next_step(self) -> "Evidence":
        """The same bets at the beginning of another step."""
        return replace(self, requests=0, labels=0)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        wagers = {name: wager.to_json() for name, wager in self.wagers.items()}
        return {"wagers": wagers, "requests": self.requests, "labels": self.labels}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Evidence":
        """The evidence that `to_json` wrote."""
        wagers = {name: Wager.from_json(one) for name, one in value.get("wagers", {}).items()}
        return cls(wagers, value.get("requests", 0), value.get("labels", 0))


@dataclass(frozen=True, slots=True)
class Standing:
    """One guard as it is shown: how much worse, how much is tolerated, and the evidence.

    `log_evidence` against `log_threshold`, natural logarithms; breached where it was reached.
    """

    phase: str
    guard: str
    pairs: int
    worse_by: float | None
    tolerated: float
    log_evidence: float
    log_threshold: float
    breached: bool


def limits_of(plan: Plan, reference: Reference) -> dict[str, float]:
    """The guards that can act, with what each tolerates."""
    limits = plan.limits
    found: dict[str, float | None] = {
        ERRORS: limits.errors,
        LATENCY: limits.slow if reference.slow_ms is not None else None,
        DISAGREEMENT: limits.disagreement,
        ESTIMATED: limits.estimated_accuracy
        if reference.champion is not None and reference.challenger is not None
        else None,
        ACCURACY: limits.accuracy,
    }
    return {guard: limit for guard, limit in found.items() if limit is not None}


def bets_of(plan: Plan, reference: Reference) -> dict[str, float]:
    """Every bet that the plan can make, `phase:guard`, with what it tolerates."""
    limits = limits_of(plan, reference)
    bets: dict[str, float] = {}
    if plan.shadow_hours:
        bets |= {f"{SHADOWED}:{guard}": limit for guard, limit in limits.items()}
    if plan.canary_shares:
        canary = {guard: limit for guard, limit in limits.items() if guard != DISAGREEMENT}
        bets |= {f"{SPLIT}:{guard}": limit for guard, limit in canary.items()}
    return bets


def judged_pairs(
    evidence: Evidence,
    pairs: Sequence[tuple[Answer, Answer]],
    plan: Plan,
    reference: Reference,
) -> Evidence:
    """After more requests that both answered: (champion's, new version's)."""
    evidence = _bet(evidence, SHADOWED, _by_pairs(ON_REQUESTS, pairs, reference), plan, reference)
    return replace(evidence, requests=evidence.requests + len(pairs))


def judged_split(
    evidence: Evidence,
    champion: Sequence[Answer],
    canary: Sequence[Answer],
    plan: Plan,
    reference: Reference,
) -> Evidence:
    """After more requests of a stretch of time, split between the two."""
    values = _by_arms(ON_REQUESTS, champion, canary, reference)
    evidence = _bet(evidence, SPLIT, values, plan, reference)
    return replace(evidence, requests=evidence.requests + len(canary))


def judged_labels(
    evidence: Evidence,
    pairs: Sequence[tuple[Answer, Answer]],
    champion: Sequence[Answer],
    canary: Sequence[Answer],
    plan: Plan,
    reference: Reference,
) -> Evidence:
    """After labels of requests in the shadow (`pairs`), and of split ones, became known."""
    seen = _by_pairs((ACCURACY,), pairs, reference)
    evidence = _bet(evidence, SHADOWED, seen, plan, reference)
    seen = _by_arms((ACCURACY,), champion, canary, reference)
    evidence = _bet(evidence, SPLIT, seen, plan, reference)
    return replace(evidence, labels=evidence.labels + len(pairs) + len(canary))


def standings(evidence: Evidence, plan: Plan, reference: Reference) -> list[Standing]:
    """Every guard of the plan, in order."""
    bets = bets_of(plan, reference)
    alpha = plan.false_rollbacks / max(len(bets), 1)
    none = Wager()
    found = []
    for name, tolerated in bets.items():
        wager = evidence.wagers.get(name, none)
        phase, _, guard = name.partition(":")
        found.append(
            Standing(
                phase=phase,
                guard=guard,
                pairs=wager.rows,
                worse_by=wager.mean,
                tolerated=tolerated,
                log_evidence=wager.log_evidence,
                log_threshold=-log(alpha),
                breached=exceeds(wager, alpha=alpha),
            )
        )
    return found


def _bet(
    evidence: Evidence,
    phase: str,
    values: Mapping[str, Sequence[float]],
    plan: Plan,
    reference: Reference,
) -> Evidence:
    tolerated = bets_of(plan, reference)
    wagers = dict(evidence.wagers)
    for guard, seen in values.items():
        name = f"{phase}:{guard}"
        if name in tolerated and seen:
            low = 0.0 if guard == DISAGREEMENT else -1.0
            before = wagers.get(name, Wager())
            wagers[name] = bet(before, seen, tolerated=tolerated[name], low=low)
    return replace(evidence, wagers=wagers)


def _by_pairs(
    guards: Sequence[str], pairs: Sequence[tuple[Answer, Answer]], reference: Reference
) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {guard: [] for guard in guards}
    for champion, challenger in pairs:
        for guard in guards:
            if guard == DISAGREEMENT:
                if not (champion.failed or challenger.failed):
                    values[guard].append(float(champion.prediction != challenger.prediction))
                continue
            before = _harm(guard, champion, reference.champion, reference)
            after = _harm(guard, challenger, reference.challenger, reference)
            if before is not None and after is not None:
                values[guard].append(after - before)
    return values


def _by_arms(
    guards: Sequence[str],
    champion: Sequence[Answer],
    canary: Sequence[Answer],
    reference: Reference,
) -> dict[str, list[float]]:
    values = {}
    for guard in guards:
        if guard == DISAGREEMENT:
            continue
        before = [_harm(guard, one, reference.champion, reference) for one in champion]
        after = [_harm(guard, one, reference.challenger, reference) for one in canary]
        known = [[one for one in arm if one is not None] for arm in (before, after)]
        values[guard] = differences(*known) if all(known) else []
    return values


def _harm(guard: str, answer: Answer, curve: Curve | None, reference: Reference) -> float | None:
    """From 0 to 1; None where nothing can be said of this answer."""
    if guard == ERRORS:
        return float(answer.failed)
    if answer.failed:
        return None
    if guard == LATENCY:
        slow, took = reference.slow_ms, answer.latency_ms
        return None if slow is None or took is None else float(took > slow)
    if guard == ESTIMATED:
        sure = answer.confidence
        return None if curve is None or sure is None else 1 - curve.at(sure)
    return None if answer.label is None else float(answer.label != answer.prediction)
