"""One thing changed about a question: roles, clearance, label, circumstances, who asks.

Each change says in words what would be otherwise, and who can bring it about. Whether it would
turn a denial into an allowance is for the engine to say (`explanation`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bailiwick.access import EVERY_NAMESPACE, ROLES
from bailiwick.policy.bundles import least_label
from bailiwick.policy.classification import Label, Scheme
from bailiwick.policy.questions import Question

ADMIN, AUDITOR, SERVICE = "admin", "auditor", "service"
STEWARD, APPROVER = "steward", "approver"
LAST_RESORT = "administrator"  # who may nearly everything
SOMEBODY_ELSE = "somebody else"
WAIVABLE = ("Model", "ModelVersion", "Dataset", "DatasetVersion", "Deployment")
OWNERS = ("principal_id", "from_id")
MAKERS = ("requested_by", "trained_by")
CIRCUMSTANCES = {
    "gates_passed": "the version had passed its gates",
    "checks_passed": "the policies had passed their own checks",
    "was_active": "these policies had been in force before",
    "environment_keeps_text": "the environment kept text",
    "tolerated": "its time of grace were not over",
    "single_sign_on": "people signed in with a provider here",
}

Make = Callable[[Question], Question]


@dataclass(frozen=True, slots=True)
class Change:
    """What would be otherwise, in words and as what it makes of a question.

    `by` is the role of those who can bring it about, if anybody can. Of one `kind` a single
    change is tried at a time.
    """

    kind: str
    words: str
    make: Make
    by: str | None = None


def changes_of(question: Question, scheme: Scheme) -> Iterator[Change]:
    """Every single change that is worth trying."""
    yield from _roles(question)
    yield from _clearance(question, scheme)
    yield from _label(question, scheme)
    yield from _circumstances(question)
    yield from _purposes(question)
    yield from _environment(question, scheme)
    yield from _target(question, scheme)
    yield from _who(question)


def _roles(question: Question) -> Iterator[Change]:
    actor, resource = question.actor, question.resource
    place = resource.namespace or EVERY_NAMESPACE
    where = "in every namespace" if place == EVERY_NAMESPACE else f"in {place}"
    held = actor.roles_on(resource)
    fitting = [role for role in ROLES if (role == SERVICE) <= (actor.kind == "service")]
    for role in sorted(fitting):
        if role not in held and role != AUDITOR:
            words = f"{actor.name} held the role {role} {where}"
            yield Change(
                LAST_RESORT if role == ADMIN else "role", words, _granted(role, place), ADMIN
            )
    if AUDITOR in held:
        yield Change("auditor", f"{actor.name} were no auditor", _no_auditor, ADMIN)


def _clearance(question: Question, scheme: Scheme) -> Iterator[Change]:
    actor = question.actor
    labels = [label for label in (question.resource.label, _input(question)) if label]
    if not labels:
        return
    level = max((label.level for label in labels), key=scheme.level_number)
    if scheme.level_number(actor.clearance_level) < scheme.level_number(level):
        words = f"{actor.name} were cleared for {level}"
        yield Change("clearance", words, _by(clearance_level=level), ADMIN)
    needed = frozenset[str]().union(*(label.compartments for label in labels))
    if missing := needed - actor.clearance_compartments:
        words = f"{actor.name} were cleared for {_listed('compartment', missing)}"
        every = actor.clearance_compartments | needed
        yield Change("compartment", words, _by(clearance_compartments=every), ADMIN)


def _label(question: Question, scheme: Scheme) -> Iterator[Change]:
    label, context = question.resource.label, question.context
    if label is None:
        yield Change("label", "it had a label", _labelled(least_label(scheme)), STEWARD)
        return
    if question.resource.type not in WAIVABLE:
        return
    if _is_sealed(label):
        yield Change("label", "a waiver opened it", _labelled(_opened(label, scheme)), STEWARD)
    bounds = [question.actor.clearance_level, context.get("environment_level")]
    level = min(filter(None, (label.level, *bounds)), key=scheme.level_number)
    kept = label.compartments & question.actor.clearance_compartments
    kept &= frozenset(context.get("environment_compartments", kept))
    lower = replace(label, level=level, compartments=kept)
    if lower != label:
        counted = " and ".join([level, *sorted(kept)])
        yield Change("label", f"a waiver let it count as {counted}", _labelled(lower), STEWARD)
    purpose = context.get("purpose")
    if purpose is not None and purpose not in label.purposes:
        wider = replace(label, purposes=label.purposes | {purpose})
        yield Change("label", f"its label allowed {purpose}", _labelled(wider), STEWARD)


def _circumstances(question: Question) -> Iterator[Change]:
    context = question.context
    for name, value in context.items():
        if value is False:
            words = CIRCUMSTANCES.get(name, f"{name.replace('_', ' ')} were so")
            yield Change(name, words, _in(**{name: True}))
    missing = context.get("approvals_required", 0) - context.get("approvals", 0)
    if missing > 0:
        people = "another person" if missing == 1 else f"{missing} other people"
        approved = _in(approvals=context["approvals_required"])
        yield Change("approvals", f"{people} approved", approved, APPROVER)
    if question.resource.attributes.get("retain_until") is not None:
        longer = _about(retain_until=None)
        yield Change("retention", "its dataset were kept for longer", longer, STEWARD)


def _purposes(question: Question) -> Iterator[Change]:
    stated, label = question.context.get("purpose"), question.resource.label
    if stated is None:
        return
    allowed = [some.purposes for some in (label, _input(question)) if some is not None]
    for purpose in sorted(frozenset.intersection(*allowed) - {stated} if allowed else ()):
        yield Change("purpose", f"the purpose were {purpose}", _in(purpose=purpose))


def _environment(question: Question, scheme: Scheme) -> Iterator[Change]:
    label, context = question.resource.label, question.context
    if label is None or "environment_level" not in context:
        return
    if scheme.level_number(context["environment_level"]) < scheme.level_number(label.level):
        words = f"the environment were cleared for {label.level}"
        yield Change("level", words, _in(environment_level=label.level), ADMIN)
    given = frozenset(context["environment_compartments"])
    if missing := label.compartments - given:
        words = f"the environment were cleared for {_listed('compartment', missing)}"
        every = sorted(given | missing)
        yield Change("held", words, _in(environment_compartments=every), ADMIN)
    if label.residency.isdisjoint(context["environment_zones"]):
        zones = sorted(frozenset(context["environment_zones"]) | label.residency)
        words = f"the environment lay in {' or '.join(sorted(label.residency))}"
        yield Change("zone", words, _in(environment_zones=zones), ADMIN)


def _target(question: Question, scheme: Scheme) -> Iterator[Change]:
    label, context = _input(question), question.context
    if label is None:
        return
    if _is_sealed(label):
        opened = _in(input_label=_opened(label, scheme))
        yield Change("input", "a waiver opened what is trained on", opened, STEWARD)
    if scheme.level_number(context["target_level"]) < scheme.level_number(label.level):
        words = f"the model were classified {label.level}"
        yield Change("target", words, _in(target_level=label.level), STEWARD)
    given = frozenset(context["target_compartments"])
    if missing := label.compartments - given:
        words = f"the model had {_listed('compartment', missing)}"
        every = sorted(given | missing)
        yield Change("target has", words, _in(target_compartments=every), STEWARD)


def _who(question: Question) -> Iterator[Change]:
    actor, attributes = question.actor, question.resource.attributes
    if actor.scopes is not None:
        words = "the token in use were not made for less"
        yield Change("token", words, _by(scopes=None))
    if actor.vouched_by:
        words = "the token in use had been made by its owner, or they signed in without one"
        yield Change("voucher", words, _by(vouched_by=frozenset()))
    if actor.kind == SERVICE:
        yield Change("kind", "a person did it", _by(kind="person"))
    if actor.id in {attributes.get(name) for name in MAKERS}:
        words = f"somebody other than {actor.name} did it"
        yield Change("person", words, _by(id=SOMEBODY_ELSE), APPROVER)
    elif question.resource.type == "Approval" and attributes.get("requested_by") is None:
        named = _about(requested_by=SOMEBODY_ELSE)
        yield Change("person", "it were known who asked", named)
    for name in OWNERS:
        if attributes.get(name) not in (None, actor.id):
            owner = _by(id=attributes[name])
            yield Change("person", "whoever it belongs to did it", owner)


def _by(**facts: Any) -> Make:
    return lambda question: replace(question, actor=replace(question.actor, **facts))


def _granted(role: str, place: str) -> Make:
    def make(question: Question) -> Question:
        roles = question.actor.roles
        granted = {**roles, place: roles.get(place, frozenset()) | {role}}
        return replace(question, actor=replace(question.actor, roles=granted))

    return make


def _no_auditor(question: Question) -> Question:
    roles = {place: held - {AUDITOR} for place, held in question.actor.roles.items()}
    return replace(question, actor=replace(question.actor, roles=roles))


def _in(**circumstances: Any) -> Make:
    return lambda question: replace(question, context={**question.context, **circumstances})


def _about(**attributes: Any) -> Make:
    def make(question: Question) -> Question:
        merged = {**question.resource.attributes, **attributes}
        return replace(question, resource=replace(question.resource, attributes=merged))

    return make


def _labelled(label: Label) -> Make:
    return lambda question: replace(question, resource=replace(question.resource, label=label))


def _is_sealed(label: Label) -> bool:
    """Nothing may be done with it: no place is left, or no purpose."""
    return not label.residency or not label.purposes


def _opened(label: Label, scheme: Scheme) -> Label:
    least = least_label(scheme)
    residency, purposes = label.residency or least.residency, label.purposes or least.purposes
    return replace(label, residency=residency, purposes=purposes)


def _input(question: Question) -> Label | None:
    """What would be trained on."""
    label = question.context.get("input_label")
    return label if isinstance(label, Label) or label is None else Label.from_dict(label)


def _listed(word: str, names: frozenset[str]) -> str:
    return f"the {word}{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"
