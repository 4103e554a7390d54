"""What the pages tell of policy bundles: where they stand, what they change, who approved them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any
from uuid import UUID

from sqlalchemy import select

from bailiwick.access import EVERY_NAMESPACE, names_of
from bailiwick.console.asked_about import Thing, things_of
from bailiwick.console.visibility import visible_decisions
from bailiwick.core.errors import BailiwickError
from bailiwick.lifecycle import bundles
from bailiwick.lifecycle.bundles import bundle_states
from bailiwick.lifecycle.subjects import POLICY_BUNDLE
from bailiwick.policy import (
    ApprovalRequest,
    ApprovalVote,
    Decision,
    PolicyBundle,
    Subject,
    approvals_by_subject,
    label_id,
    least_label,
)
from bailiwick.policy.approvals import APPROVED, OPEN, stands
from bailiwick.policy.bundle_diff import diff_bundles
from bailiwick.web import Caller

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """One policy, word, action, test or file that a bundle has otherwise than what is in force.

    `lines` are those of a unified diff, for policies only.
    """

    what: str
    how: str
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """Decisions on one action that would turn out otherwise, alike.

    `examples`: some that the caller may see, with who asked and about what.
    """

    allowed: bool
    action: str
    before: Sequence[str]
    after: Sequence[str]
    count: int
    examples: Sequence[tuple[Decision, str, Thing]]


def standings(caller: Caller, known: Sequence[PolicyBundle]) -> dict[str, str]:
    """Where each stands on its way into force, by digest, in three queries.

    A proposal that failed its checks, that waits for an approval, or that has it says so.
    """
    session, at = caller.session, caller.at
    states: dict[str, str] = {
        **bundle_states(session, [one.digest for one in known], in_force=caller.rules.digest)
    }
    label = label_id(least_label(caller.rules.scheme))
    subjects = [Subject(POLICY_BUNDLE, one.id, one.digest, EVERY_NAMESPACE, label) for one in known]
    approved = approvals_by_subject(session, subjects, purpose=bundles.PURPOSE, at=at)
    asked = select(ApprovalRequest.subject_id).where(
        ApprovalRequest.subject_id.in_([one.id for one in known]),
        ApprovalRequest.label_id == label,
        stands(OPEN, at),
    )
    waiting = set(session.scalars(asked))
    for one in known:
        if states[one.digest] != "proposed":
            continue
        if not one.passed:
            states[one.digest] = "checks failed"
        elif approved[one.id] >= bundles.APPROVALS_REQUIRED:
            states[one.digest] = "approved"
        elif one.id in waiting:
            states[one.digest] = "waiting for approval"
    return states


def approvers_of(caller: Caller, bundle_id: UUID) -> list[str]:
    """The names of those who approved a bundle; none where nobody had to."""
    voted = (
        select(ApprovalVote.approver_id)
        .join(ApprovalRequest, ApprovalRequest.id == ApprovalVote.request_id)
        .where(
            ApprovalRequest.subject_id == bundle_id,
            ApprovalRequest.state == APPROVED,
            ApprovalVote.approve,
        )
    )
    return sorted(names_of(caller.session, caller.session.scalars(voted)).values())


def turns(caller: Caller, changes: Iterable[Mapping[str, Any]]) -> list[Turn]:
    """The changes that a dry run found, with examples: a few queries however many they are."""
    told = list(changes)
    wanted = [UUID(one) for change in told for one in change["decisions"][:EXAMPLES]]
    query = select(Decision).where(Decision.id.in_(wanted), visible_decisions(caller))
    found = {str(one.id): one for one in caller.session.scalars(query)}
    things = things_of(caller, list(found.values()))
    names = names_of(caller.session, [one.principal_id for one in found.values()])
    return [
        Turn(
            allowed=change["answer"] == "allow",
            action=change["action"],
            before=change["before"],
            after=change["after"],
            count=change["count"],
            examples=[
                (one, names[one.principal_id], things[one.id])
                for one in map(found.get, change["decisions"][:EXAMPLES])
                if one is not None
            ],
        )
        for change in told
    ]


def differences(caller: Caller, digest: str) -> list[Difference]:
    """What it says otherwise than what is in force; nothing of a bundle that cannot be loaded."""
    try:
        proposed = bundles.rules_of_bundle(caller.session, caller.platform, digest)
    except BailiwickError:  # its report names the fault
        return []
    diff = diff_bundles(caller.rules, proposed)
    parts = {"policy": diff["policies"], "action": diff["actions"], **diff["words"]}
    parts |= {"test": diff["tests"], "file": diff["files"]}
    return [one for what, compared in parts.items() for one in _compared(what, compared)]


def _compared(what: str, compared: dict[str, Any]) -> Iterator[Difference]:
    for how, names in compared.items():
        for name in names:
            lines = _lines(how, names[name]) if what == "policy" else ()
            yield Difference(what, how, name, tuple(lines))


def _lines(how: str, told: dict[str, Any]) -> list[str]:
    old = "" if how == "added" else (told["old"] if how == "changed" else told)["text"]
    new = "" if how == "removed" else (told["new"] if how == "changed" else told)["text"]
    _, _, *lines = unified_diff(old.splitlines(), new.splitlines(), n=3, lineterm="")
    return [line for line in lines if not line.startswith("@@")]
