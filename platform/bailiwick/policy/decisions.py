"""May this actor do this here? Cedar answers; nothing else in Bailiwick speaks to it.

The policies of a bundle (`*.cedar` and one schema) are parsed and validated once. Every
request carries its own few entities, the actor and the resource, and is checked against the
schema, so what does not fit is denied instead of slipping past a `forbid`.
"""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import cedarpy
from cedarpy import pst

from bailiwick.core import errors
from bailiwick.core.canonical import digest_of, sha256_hex
from bailiwick.policy.classification import Label, Scheme

SCHEMA_FILE = "bailiwick.cedarschema"
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    `roles` maps a place to the roles held there: a namespace, `*` for every namespace, or one
    object (`finance/models/coder`). `scopes` narrows what the token in use is for; None does not.
    `vouched_by`: who else has held that token, or what it was made with.
    """

    id: str
    kind: Literal["person", "service"]
    name: str
    roles: Mapping[str, frozenset[str]]
    clearance_level: str
    clearance_compartments: frozenset[str]
    scopes: frozenset[str] | None = None
    vouched_by: frozenset[str] = frozenset()

    def roles_on(self, resource: "Resource") -> frozenset[str]:
        """The roles held on the resource: everywhere, in its namespace, on what it belongs to."""
        places = (EVERYWHERE, resource.namespace, *resource.belongs_to)
        return frozenset().union(*(self.roles.get(place or "", ()) for place in places))

    def to_facts(self) -> dict[str, Any]:
        """All that policies may look at, as JSON."""
        return {
            "kind": self.kind,
            "roles": {place: sorted(held) for place, held in sorted(self.roles.items())},
            "clearance_level": self.clearance_level,
            "clearance_compartments": sorted(self.clearance_compartments),
            "scopes": None if self.scopes is None else sorted(self.scopes),
            "vouched_by": sorted(self.vouched_by),
        }

    def roles_anywhere(self) -> frozenset[str]:
        """The roles held in at least one place."""
        return frozenset().union(*self.roles.values())


@dataclass(frozen=True, slots=True)
class Waived:
    """A lower label that others approved for exactly this resource, and until when."""

    waiver_id: UUID
    label: Label
    until: datetime


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked for: an entity type of the schema, and the attributes it declares.

    `belongs_to` names the objects (`finance/models/coder`) whose roles reach this resource.
    """

    type: str
    id: str
    namespace: str | None
    label: Label | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    belongs_to: tuple[str, ...] = ()
    waived: Waived | None = None

    def at(self, moment: datetime) -> "Resource":
        """The resource with the label that is in force: a waiver's only while it lasts."""
        if self.waived is None:
            return self
        if moment >= self.waived.until:
            return replace(self, waived=None)
        return replace(self, label=self.waived.label)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer. `policy_ids` are the policies that decided, none when nothing permits.

    `reason` is one or more sentences for people; `errors` says why evaluation failed, which
    is always a denial.
    """

    allowed: bool
    policy_ids: tuple[str, ...]
    errors: tuple[str, ...]
    bundle_digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy as it stands in its file."""

    id: str
    effect: str
    reason: str
    file: str
    text: str


class PolicyEngine:
    """A validated bundle of policies. Immutable, and safe to share between threads.

    `actions` are the actions that a request can name, `policies` the policies by id, and
    `bundle_digest` is the SHA-256 over the names and contents of all files of the bundle.
    """

    def __init__(self, bundle: Mapping[str, bytes], scheme: Scheme) -> None:
        """Parse and validate file contents by file name; `Rules.load` is the usual way."""
        self.scheme = scheme
        self.bundle_digest = bundle_digest(bundle)
        self._schema = _read_schema(bundle)
        self.actions = _actions(self._schema)
        texts = {name: _text(name, bundle[name]) for name in sorted(bundle)}
        cedar = {name: text for name, text in texts.items() if name.endswith(".cedar")}
        found = [
            p for name, text in cedar.items() for p in _read_policies(name, text, self._schema)
        ]
        self.policies: Mapping[str, Policy] = {policy.id: policy for policy in found}
        twice = sorted(p.id for p in found if self.policies[p.id] is not p)
        if twice:
            raise errors.Invalid(f"Every policy needs an @id of its own; given twice: {twice}.")
        self._policy_set = cedarpy.PolicySet.from_str("\n".join(cedar.values()))

    def explain(self, policy_id: str) -> Policy:
        """The policy with this id; raises `errors.NotFound`."""
        try:
            return self.policies[policy_id]
        except KeyError:
            raise errors.NotFound(
                f"There is no policy {policy_id} in bundle {self.bundle_digest[:12]}; "
                "an older decision may name a policy that has changed since."
            ) from None

    def decide(
        self,
        actor: Actor,
        action: str,
        resource: Resource,
        context: Mapping[str, Any] | None = None,
    ) -> Verdict:
        """May `actor` do `action` to `resource`? Denies unless a policy permits and none forbids.

        `context` holds what the schema declares for the action: a `Label` may be given as it
        is, `*_level` as the level's name, sets as any collection, moments as datetimes. None
        values are left out, of `resource.attributes` too. Whatever cannot be evaluated is
        denied, never raised.
        """
        try:
            request = {
                "principal": {"type": "Actor", "id": actor.id},
                "action": {"type": "Action", "id": action},
                "resource": {"type": resource.type, "id": resource.id},
                "context": self._record(context or {}),
            }
            entities = json.dumps([self._actor(actor, resource), self._resource(resource)])
            answer = cedarpy.is_authorized(request, self._policy_set, entities, self._schema)
        except (errors.Invalid, TypeError, ValueError) as error:
            return self._verdict(actor, action, resource, (), (str(error),), allowed=False)
        diagnostics = answer.diagnostics
        # Cedar skips a `forbid` that fails to evaluate: an allow beside an error is no allow.
        return self._verdict(
            actor,
            action,
            resource,
            tuple(sorted(diagnostics.id_annotations_by_reason.values())),
            tuple(diagnostics.errors),
            allowed=answer.allowed and not diagnostics.errors,
        )

    def _verdict(
        self,
        actor: Actor,
        action: str,
        resource: Resource,
        policy_ids: tuple[str, ...],
        faults: tuple[str, ...],
        *,
        allowed: bool,
    ) -> Verdict:
        if faults:
            reason = (
                f"The policies could not be evaluated for {action} on a {resource.type}, which "
                "denies it: the request does not fit the policy schema; tell an administrator."
            )
        elif policy_ids:
            reason = " ".join(self.policies[policy_id].reason for policy_id in policy_ids)
        else:
            roles = ", ".join(sorted(actor.roles_on(resource))) or "no role"
            place = "here" if resource.namespace is None else f"in {resource.namespace}"
            reason = (
                f"No policy permits {action}: {actor.name} holds {roles} {place}; "
                "ask an administrator for a role that may."
            )
        return Verdict(allowed, policy_ids, faults, self.bundle_digest, reason)

    def _actor(self, actor: Actor, resource: Resource) -> dict[str, Any]:
        attributes = {
            "id": actor.id,
            "kind": actor.kind,
            "roles": actor.roles_on(resource),
            "roles_anywhere": actor.roles_anywhere(),
            "clearance_level": actor.clearance_level,
            "clearance_compartments": actor.clearance_compartments,
            "scopes": actor.scopes,
            "vouched_by": actor.vouched_by or None,
        }
        return {
            "uid": {"type": "Actor", "id": actor.id},
            "attrs": self._record(attributes),
            "parents": [],
        }

    def _resource(self, resource: Resource) -> dict[str, Any]:
        attributes = {
            **resource.attributes,
            "namespace": resource.namespace,
            "label": resource.label,
        }
        return {
            "uid": {"type": resource.type, "id": resource.id},
            "attrs": self._record(attributes),
            "parents": [],
        }

    def _record(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` as Cedar's JSON: level names become numbers, collections sorted lists."""
        return {key: self._value(key, value) for key, value in values.items() if value is not None}

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, Label):
            return self._record(value.to_dict())
        if isinstance(value, Mapping):
            return self._record(value)
        if isinstance(value, str) and (key == "level" or key.endswith("_level")):
            return self.scheme.level_number(value)
        if isinstance(value, AbstractSet | tuple | list):
            return sorted(value)
        if isinstance(value, datetime):
            return as_moment(value)  # the schema says that it is one
        return value


def bundle_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and contents of a bundle's files."""
    return digest_of([[name, sha256_hex(files[name])] for name in sorted(files)])


def as_moment(value: datetime) -> str:
    """A moment as policies see it: UTC, to the second (RFC 3339)."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.Invalid(f"{name} is not UTF-8 text ({error}); save it as UTF-8.") from error


def _read_schema(bundle: Mapping[str, bytes]) -> cedarpy.Schema:
    if SCHEMA_FILE not in bundle:
        raise errors.Invalid(f"The policies need their schema, {SCHEMA_FILE}, beside them.")
    try:
        return cedarpy.Schema.from_str(_text(SCHEMA_FILE, bundle[SCHEMA_FILE]))
    except ValueError as error:
        raise errors.Invalid(f"{SCHEMA_FILE} is not a Cedar schema: {error}.") from error


def _actions(schema: cedarpy.Schema) -> frozenset[str]:
    """The schema's actions without its groups, whose names have no colon."""
    entities = json.loads(str(cedarpy.Entities.from_json_str("[]", schema)))
    return frozenset(uid["id"] for uid in (e["uid"] for e in entities) if ":" in uid["id"])


def _read_policies(name: str, text: str, schema: cedarpy.Schema) -> list[Policy]:
    """The policies of one file, each checked against the schema and for its annotations."""
    found = cedarpy.validate_policies(text, schema)
    if not found:
        faults = "; ".join(str(error) for error in found.errors)
        raise errors.Invalid(f"{name} does not fit {SCHEMA_FILE}: {faults}.")
    nodes = cedarpy.PolicySet.from_str(text).to_pst()
    if nodes.templates:
        raise errors.Invalid(f"{name} holds policy templates, which are never linked: remove them.")
    return [_policy(name, node) for node in nodes.static_policies.values()]


def _policy(name: str, node: pst.Template) -> Policy:
    own = pst.PolicySet(templates={}, static_policies={node.id: node}, template_links=())
    text = str(cedarpy.PolicySet.from_pst(own))
    policy_id, reason = node.annotations.get("id"), node.annotations.get("reason")
    if not policy_id or not reason:
        raise errors.Invalid(f"{name}: every policy needs an @id and a @reason; add them to {text}")
    return Policy(policy_id, str(node.effect), reason, name, text)
