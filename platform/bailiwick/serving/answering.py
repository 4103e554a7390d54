"""Answering requests while a rollout is under way: by the champion, or by the canary's version.

A canary never fails a request: what its version cannot answer, the champion does, and the failure
is an observation against the canary. Without a rollout all of it is one call of the gateway.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.lineage.rows import compose_text
from bailiwick.registry import CANARY, CHAMPION, ModelVersion, Routing
from bailiwick.serving.classification import Classification
from bailiwick.serving.gateway import Gateway
from bailiwick.serving.splitting import is_in_canary

CANARY_SECONDS = 10.0  # then the champion answers, and the canary has failed


@dataclass(frozen=True, slots=True)
class Served:
    """A version, as far as answering needs it; the database is not asked again."""

    id: UUID
    number: int
    text_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers: the champion, and, while there is one, the rollout's version beside it."""

    champion: Served
    challenger: Served | None = None
    rollout_id: UUID | None = None
    share: float = 0.0
    shadows: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row to classify; requests of one `key` are answered by one side of a canary."""

    record_id: str
    key: str
    features: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a version answered to one request; the rows of a call share its latency."""

    version: Served
    text: str
    classification: Classification
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request on one side, for the guards; None: it was not answered."""

    role: str
    request: Row
    answered: Answered | None


@dataclass(slots=True)
class Answers:
    """One answer a request, in order, and what guards learn from them."""

    answered: list[Answered] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


class NotAnswered(Exception):
    """The champion could not answer; `cause` says why, `outcomes` who had to."""

    def __init__(self, cause: BailiwickError, outcomes: list[Outcome]) -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.outcomes = outcomes


def route_of(routing: Routing) -> Route:
    """The route, free of the session that it was read in."""
    challenger = routing.challenger
    return Route(
        _served(routing.version),
        _served(challenger) if challenger is not None else None,
        routing.rollout_id,
        routing.share,
        routing.shadows,
    )


def answer(gateway: Gateway, route: Route, requests: Sequence[Row]) -> Answers:
    """Answer all of them. Raises `Invalid` for features that a version lacks, `NotAnswered`."""
    chosen = _chosen(route, requests)
    found: dict[int, Answered] = {}
    outcomes: list[Outcome] = []
    if chosen and route.challenger is not None:
        found, outcomes = _by_canary(gateway, route.challenger, requests, chosen)
    left = [place for place in range(len(requests)) if place not in found]
    texts = [_text(requests[place], route.champion, place) for place in left]
    own = [place for place in left if place not in chosen]
    try:
        answered = classified(gateway, route.champion, texts) if left else []
    except BailiwickError as error:
        failed = [Outcome(CHAMPION, requests[place], None) for place in own]
        raise NotAnswered(error, outcomes + failed) from error
    found |= dict(zip(left, answered, strict=True))
    if route.rollout_id is not None and not route.shadows:
        outcomes += [Outcome(CHAMPION, requests[place], found[place]) for place in own]
    return Answers([found[place] for place in range(len(requests))], outcomes)


def classified(
    gateway: Gateway,
    version: Served,
    texts: Sequence[str],
    *,
    timeout_seconds: float | None = None,
) -> list[Answered]:
    """What the version answers to the texts, and how long it took (milliseconds)."""
    began = time.perf_counter()
    answers = gateway.classify(str(version.id), texts, timeout_seconds=timeout_seconds)
    latency_ms = (time.perf_counter() - began) * 1_000
    return [
        Answered(version, text, one, latency_ms) for text, one in zip(texts, answers, strict=True)
    ]


def _chosen(route: Route, requests: Sequence[Row]) -> frozenset[int]:
    """The places of the requests that are the canary's."""
    rollout_id = route.rollout_id
    if rollout_id is None or route.shadows:
        return frozenset()
    return frozenset(
        place
        for place, request in enumerate(requests)
        if is_in_canary(rollout_id, request.key, route.share)
    )


def _by_canary(
    gateway: Gateway, version: Served, requests: Sequence[Row], chosen: frozenset[int]
) -> tuple[dict[int, Answered], list[Outcome]]:
    places = sorted(chosen)
    try:
        texts = [_text(requests[place], version, place) for place in places]
        answered = classified(gateway, version, texts, timeout_seconds=CANARY_SECONDS)
    except BailiwickError:
        return {}, [Outcome(CANARY, requests[place], None) for place in places]
    found = dict(zip(places, answered, strict=True))
    return found, [Outcome(CANARY, requests[place], one) for place, one in found.items()]


def _served(version: ModelVersion) -> Served:
    return Served(version.id, version.number, tuple(version.text_columns))


def _text(request: Row, version: Served, place: int) -> str:
    try:
        return compose_text(request.features, version.text_columns)
    except KeyError as error:
        raise Invalid(
            f"instance {place} lacks {error}; this model reads {', '.join(version.text_columns)}"
        ) from error
