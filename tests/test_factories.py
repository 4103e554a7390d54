"""The factories make what life would make: judged, approved, labelled, and in the log."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.audit.tables import AuditEvent
from bailiwick.lifecycle.promotion import evaluation_of
from bailiwick.lineage import Node, walk
from bailiwick.policy import load_label
from bailiwick.registry import CHAMPION, pointed_at, served_version
from factories import CONFIDENTIAL, Factory


def test_a_running_deployment_serves_an_approved_champion_with_its_inherited_label(
    make: Factory, session: Session
) -> None:
    deployment = make.running()
    version = served_version(session, deployment)
    evaluation = evaluation_of(session, version)
    assert evaluation is not None
    assert evaluation.passed
    assert load_label(session, version.label_id) == CONFIDENTIAL
    assert len(walk(session, Node("model-version", version.id), "up", depth=5)) == 1
    actions = set(session.scalars(select(AuditEvent.action)))
    assert {"dataset-version.registered", "approval.decided", "alias.moved"} <= actions


def test_a_second_version_is_compared_with_the_champion_and_replaces_it(
    make: Factory, session: Session
) -> None:
    model, data = make.model(), make.dataset_version(make.dataset())
    first = make.champion(make.model_version(model, data))
    second = make.champion(make.model_version(model, data, accuracy=0.85))
    assert pointed_at(session, model.id, CHAMPION) is second
    evaluation = evaluation_of(session, second)
    assert evaluation is not None
    assert evaluation.champion_version_id == first.id
