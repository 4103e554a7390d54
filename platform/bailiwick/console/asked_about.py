"""What decisions are about: what people call it, and its page, as far as the caller may know."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from bailiwick.console.visibility import visible_approvals
from bailiwick.policy import ApprovalRequest, Decision, PolicyBundle
from bailiwick.web import Caller, visible_names

KINDS = {
    "Model": "model",
    "ModelVersion": "model-version",
    "Dataset": "dataset",
    "DatasetVersion": "dataset-version",
    "Deployment": "deployment",
    "Run": "run",
}
BY_ID = {"Job": "jobs", "Alert": "alerts", "Waiver": "waivers", "Deployment": "deployments"}
WORDS = {
    "Platform": "the installation",
    "AuditLog": "the audit log",
    "Approval": "the approval",
    "PolicyBundle": "policies",
    "Principal": "somebody's account",
}
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGEST_HEAD, _ID_TAIL = 12, 8


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing that was asked about; `name` is empty where the kind says it all."""

    kind: str
    name: str
    path: str | None = None

    @property
    def words(self) -> str:
        """The same in one piece."""
        return f"{self.kind} {self.name}".rstrip()


def things_of(caller: Caller, decisions: Sequence[Decision]) -> dict[UUID, Thing]:
    """What each decision is about, by its id; a query or two for each kind of thing."""
    asked = _requests(caller, decisions)
    known = visible_names(caller, _nameable(decisions, asked.values()))
    bundles = _kept_bundles(caller, decisions, asked.values())
    return {one.id: _thing(one, asked.get(one.resource_id), known, bundles) for one in decisions}


def _thing(
    one: Decision, asked: ApprovalRequest | None, known: dict[UUID, str], bundles: set[str]
) -> Thing:
    kind, identifier = one.resource_type, one.resource_id
    words = WORDS.get(kind, _HUMP.sub(" ", kind).lower())
    found = _uuid(identifier)
    if kind in {"Platform", "AuditLog"}:
        return Thing(words, "")
    if kind == "PolicyBundle":
        path = f"/console/policies/{identifier}" if identifier in bundles else None
        return Thing(words, _short(identifier), path)
    if asked is not None:
        about = known.get(asked.subject_id, asked.subject_type.replace("-", " "))
        if asked.subject_digest in bundles:
            about = f"policies {_short(asked.subject_digest)}"
        return Thing(words, f"of {about}", f"/console/approvals#request-{asked.id}")
    if found is None:
        return Thing(words, identifier)  # what did not exist yet was asked about by its name
    if kind in BY_ID and (kind not in KINDS or found in known):
        return Thing(words, known.get(found, _short(identifier)), f"/console/{BY_ID[kind]}/{found}")
    return Thing(words, known.get(found, _short(identifier)), _page(kind, known.get(found)))


def _page(kind: str, name: str | None) -> str | None:
    """The page of what is found by its name."""
    if name is None:
        return None
    owner, _, number = name.partition("@")
    return {
        "Model": f"/console/models/{owner}",
        "ModelVersion": f"/console/models/{owner}/versions/{number}",
        "Dataset": f"/console/datasets/{owner}",
        "DatasetVersion": f"/console/datasets/{owner}#v{number}",
    }.get(kind)


def _nameable(
    decisions: Iterable[Decision], asked: Iterable[ApprovalRequest]
) -> list[tuple[str, UUID]]:
    pairs = [(KINDS.get(one.resource_type, ""), _uuid(one.resource_id)) for one in decisions]
    pairs += [(one.subject_type, one.subject_id) for one in asked]
    return [(kind, found) for kind, found in pairs if kind in KINDS.values() and found is not None]


def _requests(caller: Caller, decisions: Iterable[Decision]) -> dict[str, ApprovalRequest]:
    """The requests for approval among them that the caller may see, by id."""
    wanted = [_uuid(one.resource_id) for one in decisions if one.resource_type == "Approval"]
    query = select(ApprovalRequest).where(ApprovalRequest.id.in_(list(filter(None, wanted))))
    found = caller.session.scalars(query.where(visible_approvals(caller))) if any(wanted) else ()
    return {str(one.id): one for one in found}


def _kept_bundles(
    caller: Caller, decisions: Iterable[Decision], asked: Iterable[ApprovalRequest]
) -> set[str]:
    """The digests of the policies among them, and of what was to be approved, that have a page."""
    wanted = {one.resource_id for one in decisions if one.resource_type == "PolicyBundle"}
    wanted |= {one.subject_digest for one in asked}
    query = select(PolicyBundle.digest).where(PolicyBundle.digest.in_(wanted))
    return set(caller.session.scalars(query)) if wanted else set()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _short(identifier: str) -> str:
    """The beginning of a digest, or the telling end of an id; a name as it is."""
    if _DIGEST.fullmatch(identifier):
        return identifier[:_DIGEST_HEAD]
    return f"…{identifier[-_ID_TAIL:]}" if _uuid(identifier) else identifier
