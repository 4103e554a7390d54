"""Approving, relabelling, ending and using at the same moment: whoever is first, nothing leaks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from bailiwick.access import Principal, find_principal
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Denied
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle import waivers as lifecycle
from bailiwick.lifecycle.promotion import PURPOSE, ask_for_approval, promote
from bailiwick.policy import ApprovalRequest, Waiver, count_approvals, intern_label
from bailiwick.registry import (
    CHAMPION,
    Deployment,
    Environment,
    ModelVersion,
    RegisteredModel,
    pointed_at,
    version_subject,
)
from factories import CONFIDENTIAL, Factory
from support.lifecycle_world import at_once, factory_again
from support.waiving import answer, answered, asked, request_of

RESTRICTED = replace(CONFIDENTIAL, level="restricted")
SECOND = timedelta(seconds=1)
APPROVERS = ("first", "second")
ROUNDS = 3


@dataclass
class Scene:
    """A restricted version that is champion, an environment below it, and two approvers.

    What one process does and what the other does are methods that take the process.
    """

    platform: Platform
    version_id: UUID
    environment_id: UUID

    @contextmanager
    def making(self, platform: Platform | None = None) -> Iterator[Factory]:
        """A transaction of a process."""
        with (platform or self.platform).database.transaction() as session:
            yield factory_again(session, platform or self.platform)

    def waiver(self, *, votes: int) -> UUID:
        """A lower label that was asked for and answered by so many of the two who must agree."""
        with self.making() as make:
            waiver = asked(make, make.session.get_one(ModelVersion, self.version_id))
            for name in APPROVERS[:votes]:
                answered(make, waiver, by=person(make, name))
            return waiver.id

    def vote(self, platform: Platform, waiver_id: UUID, name: str, **more: Any) -> str:
        with self.making(platform) as make:
            waiver = make.session.get_one(Waiver, waiver_id)
            return answer(make, request_of(make, waiver), by=person(make, name), **more).state

    def expire(self, platform: Platform, waiver_id: UUID) -> None:
        """One turn of the tick, at the very end of the waiver."""
        with self.making(platform) as make:
            at = make.session.get_one(Waiver, waiver_id).expires_at
            lifecycle.end_expired_waivers(make.session, rules=platform.rules, at=at)

    def end(self, platform: Platform, waiver_id: UUID) -> None:
        with self.making(platform) as make:
            lifecycle.end_waiver(
                make.session,
                make.session.get_one(Waiver, waiver_id),
                reason="names were found",
                rules=platform.rules,
                actor=make.actor(make.approver),
                at=make.at,
            )

    def deploy(self, platform: Platform, name: str) -> UUID:
        with self.making(platform) as make:
            version = make.session.get_one(ModelVersion, self.version_id)
            model = make.session.get_one(RegisteredModel, version.model_id)
            environment = make.session.get_one(Environment, self.environment_id)
            return make.deployment(model, environment, name=name).id

    def waiver_state(self, waiver_id: UUID) -> str:
        with self.platform.database.reading() as session:
            return session.get_one(Waiver, waiver_id).state


def person(make: Factory, name: str) -> Principal:
    return find_principal(make.session, name)


@pytest.fixture
def scene(platform: Platform) -> Scene:
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        rows = make.dataset_version(make.dataset(label=RESTRICTED))
        version = make.champion(make.model_version(make.model(label=RESTRICTED), rows))
        for name in APPROVERS:
            make.principal(name, "approver")
        return Scene(platform, version.id, make.environment(clearance="internal").id)


def events_of(scene: Scene, waiver_id: UUID) -> list[str]:
    with scene.platform.database.reading() as session:
        found = select(AuditEvent.action).where(AuditEvent.subject_id == str(waiver_id))
        return list(session.scalars(found.order_by(AuditEvent.id)))


def test_the_last_two_approvals_at_once_let_it_begin_once(scene: Scene, rival: Platform) -> None:
    for _ in range(ROUNDS):
        waiver = scene.waiver(votes=0)
        states = at_once(
            partial(scene.vote, scene.platform, waiver, "first"),
            partial(scene.vote, rival, waiver, "second"),
        )
        assert sorted(map(str, states)) == ["approved", "open"]
        assert scene.waiver_state(waiver) == "active"
        assert events_of(scene, waiver).count("waiver.began") == 1


def test_one_person_in_two_sessions_at_once_is_one_person(scene: Scene, rival: Platform) -> None:
    for _ in range(ROUNDS):
        waiver = scene.waiver(votes=0)
        results = at_once(
            partial(scene.vote, scene.platform, waiver, "first"),
            partial(scene.vote, rival, waiver, "first"),
        )
        assert [result for result in results if result == "open"] == ["open"]
        assert [type(result) for result in results if result != "open"] == [Conflict]
        assert scene.waiver_state(waiver) == "requested"


def test_an_approval_and_the_end_of_the_waivers_time_leave_nothing_that_acts(
    scene: Scene, rival: Platform
) -> None:
    for _ in range(ROUNDS):
        waiver = scene.waiver(votes=1)
        with scene.platform.database.reading() as session:
            end = session.get_one(Waiver, waiver).expires_at
        with scene.making() as make:  # so long that only the waiver's own time is over
            request = request_of(make, make.session.get_one(Waiver, waiver))
            request.expires_at = end
        results = at_once(
            partial(scene.vote, scene.platform, waiver, "second", at=end - SECOND),
            partial(scene.expire, rival, waiver),
        )
        assert results[0] == "approved" or isinstance(results[0], Conflict)
        assert results[1] is None
        scene.expire(rival, waiver)  # a waiver that was being approved is noted at the next turn
        assert scene.waiver_state(waiver) == "ended"
        began = "waiver.began" in events_of(scene, waiver)
        assert began == (results[0] == "approved")


def test_whatever_began_to_run_by_a_waiver_is_seen_by_whoever_ends_it(
    scene: Scene, rival: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed: set[UUID] = set()
    really = lifecycle.review_deployments

    def noting(session: Any, *, deployments: Sequence[Deployment], **more: Any) -> Any:
        reviewed.update(deployment.id for deployment in deployments)
        return really(session, deployments=deployments, **more)

    monkeypatch.setattr(lifecycle, "review_deployments", noting)
    for number in range(ROUNDS):
        waiver = scene.waiver(votes=2)
        ended, deployed = at_once(
            partial(scene.end, scene.platform, waiver),
            partial(scene.deploy, rival, f"racing-{number}"),
        )
        assert ended is None
        assert deployed in reviewed or isinstance(deployed, Denied)
        with pytest.raises(Denied):
            scene.deploy(rival, f"late-{number}")


def relabelled(scene: Scene, platform: Platform, version_id: UUID) -> None:
    with scene.making(platform) as make:
        version = make.session.get_one(
            ModelVersion, version_id, with_for_update={"of": ModelVersion}
        )
        version.label_id = intern_label(make.session, RESTRICTED)


def approved_version(scene: Scene, platform: Platform, request_id: UUID) -> str:
    with scene.making(platform) as make:
        request = make.session.get_one(ApprovalRequest, request_id)
        return answer(make, request, by=person(make, "first")).state


def promoted(scene: Scene, platform: Platform, version_id: UUID) -> str:
    with scene.making(platform) as make:
        version = make.session.get_one(ModelVersion, version_id)
        promote(
            make.session,
            version,
            reason="approved",
            rules=platform.rules,
            tiers=platform.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        )
        return version.label_id


def challenger(scene: Scene, number: int) -> tuple[UUID, UUID]:
    """A first version of a confidential model, and the request for its approval."""
    with scene.making() as make:
        rows = make.dataset_version(make.dataset(f"rows-{number}"), seed=number + 1)
        version = make.model_version(make.model(f"model-{number}"), rows)
        request = ask_for_approval(
            make.session,
            version,
            rules=make.platform.rules,
            tiers=make.platform.tiers,
            actor=make.actor(make.engineer),
            at=make.at,
        )
        return version.id, request.id


def test_an_approval_given_while_the_label_rises_counts_for_nothing(
    scene: Scene, rival: Platform
) -> None:
    for number in range(ROUNDS):
        version_id, request_id = challenger(scene, number)
        answered_as, moved = at_once(
            partial(approved_version, scene, scene.platform, request_id),
            partial(relabelled, scene, rival, version_id),
        )
        assert answered_as == "approved" or isinstance(answered_as, Conflict)
        assert moved is None
        with scene.making() as make:
            subject = version_subject(make.session.get_one(ModelVersion, version_id))
            assert count_approvals(make.session, subject, purpose=PURPOSE, at=make.at) == 0
        with pytest.raises(Denied) as refused:
            promoted(scene, rival, version_id)
        assert refused.value.details["policies"] == ["promotion-needs-approvals"]


def test_a_promotion_while_the_label_rises_is_of_the_label_that_was_approved(
    scene: Scene, rival: Platform
) -> None:
    for number in range(ROUNDS):
        version_id, request_id = challenger(scene, number)
        approved_version(scene, scene.platform, request_id)
        with scene.platform.database.reading() as session:
            before = session.get_one(ModelVersion, version_id).label_id
        label, moved = at_once(
            partial(promoted, scene, scene.platform, version_id),
            partial(relabelled, scene, rival, version_id),
        )
        assert moved is None
        assert label == before or isinstance(label, Denied)
        with scene.platform.database.reading() as session:
            version = session.get_one(ModelVersion, version_id)
            champion = pointed_at(session, version.model_id, CHAMPION)
            assert (champion is not None) == (label == before)
