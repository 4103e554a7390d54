"""What a proposed policy bundle must pass before anybody may put it in force."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.access import EVERY_NAMESPACE, Principal, roles_held
from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle.rulesets import Ruleset
from bailiwick.lifecycle.tables import RetrainingPolicy
from bailiwick.policy import Actor, Resource, Rules, Scheme, StoredLabel
from bailiwick.policy.bundle_tests import run_bundle_tests
from bailiwick.policy.dry_run import LAST_DECISIONS, dry_run
from bailiwick.policy.questions import last_questions
from bailiwick.registry import Environment

ROLLBACK = "bundle:rollback"


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks of a bundle found; it passed if they found no fault."""

    faults: tuple[str, ...]
    failed_tests: tuple[str, ...]
    dry_run: Mapping[str, Any] | None

    @property
    def passed(self) -> bool:
        """Whether the bundle may be put in force, once another person has approved it."""
        return not self.faults and not self.failed_tests

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "faults": list(self.faults),
            "failed_tests": list(self.failed_tests),
            "dry_run": self.dry_run,
        }


def check_bundle(
    session: Session, files: Mapping[str, bytes], *, now: Rules, last: int = LAST_DECISIONS
) -> Checks:
    """Parse and validate, run its own tests, and put it the questions of the last decisions.

    What the dry run finds is no fault: whoever approves the bundle decides on it. Nothing is
    written; it takes about a second.
    """
    try:
        proposed = Ruleset.of(files)
    except BailiwickError as error:
        return Checks((error.message,), (), None)
    run = dry_run(last_questions(session, last=last), now=now, proposed=proposed.rules)
    return Checks(
        (
            *lost_names(session, proposed),
            *_lost_actions(now, proposed.rules),
            *_lock_out(session, proposed.rules),
        ),
        tuple(run_bundle_tests(files)),
        run.to_dict(),
    )


def lost_names(session: Session, proposed: Ruleset) -> list[str]:
    """Words that labels, clearances and environments use, and that the bundle does not have."""
    scheme = proposed.rules.scheme
    known: dict[str, Iterable[str]] = {
        "level": scheme.levels,
        "compartment": scheme.compartments,
        "zone": scheme.zones,
        "purpose": scheme.purposes,
        "risk tier": proposed.tiers,
    }
    return [
        f"the {kind} {name!r} is in use (labels, clearances, environments or retraining "
        "policies name it): it must stay"
        for kind, names in _names_in_use(session).items()
        for name in sorted(names - set(known[kind]))
    ]


def _names_in_use(session: Session) -> dict[str, set[str]]:
    labels = session.scalars(select(StoredLabel)).all()
    people = session.execute(
        select(Principal.clearance_level, Principal.clearance_compartments).distinct()
    ).all()
    places = session.scalars(select(Environment)).all()
    levels = (label.level for label in labels), (level for level, _ in people)
    compartments = (label.compartments for label in labels), (held for _, held in people)
    return {
        "level": {*chain(*levels), *(place.clearance_level for place in places)},
        "compartment": {
            *chain.from_iterable(chain(*compartments)),
            *chain.from_iterable(place.clearance_compartments for place in places),
        },
        "zone": {
            *chain.from_iterable(label.residency for label in labels),
            *(place.zone for place in places),
        },
        "purpose": set(chain.from_iterable(label.purposes for label in labels)),
        "risk tier": set(session.scalars(select(RetrainingPolicy.risk_tier).distinct())),
    }


def _lost_actions(now: Rules, proposed: Rules) -> Iterator[str]:
    """An action that the schema does not know is denied to everybody."""
    for action in sorted(now.engine.actions - proposed.engine.actions):
        yield f"the schema must declare the action {action}: nobody could do it any more"


def _lock_out(session: Session, proposed: Rules) -> Iterator[str]:
    """Somebody must be able to bring the former policies back."""
    bundle = Resource("PolicyBundle", "the former one", None, None)
    if not any(
        proposed.engine.decide(actor, ROLLBACK, bundle, {"was_active": True}).allowed
        for actor in _everywhere(session, proposed.scheme)
    ):
        yield f"nobody who is active could undo it: no role in use is permitted {ROLLBACK}"


def _everywhere(session: Session, scheme: Scheme) -> Iterator[Actor]:
    """Active people with their roles for the whole installation."""
    people = session.scalars(
        select(Principal).where(Principal.kind == "person", Principal.disabled_at.is_(None))
    ).all()
    roles: dict[Any, set[str]] = {}
    for held in roles_held(session, [person.id for person in people]):
        if held.namespace == EVERY_NAMESPACE and not held.object:
            roles.setdefault(held.principal_id, set()).add(held.role)
    for person in people:
        if person.id in roles and person.clearance_level in scheme.levels:
            yield Actor(
                id=str(person.id),
                kind="person",
                name=person.name,
                roles={EVERY_NAMESPACE: frozenset(roles[person.id])},
                clearance_level=person.clearance_level,
                clearance_compartments=frozenset(person.clearance_compartments),
            )
