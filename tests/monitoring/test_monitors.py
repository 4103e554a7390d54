from typing import Any

import pytest
from sqlalchemy import select, update

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.monitoring import Baseline, Monitor, create_monitor, update_monitor
from bailiwick.monitoring.monitors import add_baseline, baseline_of, monitor_resource
from bailiwick.monitoring.statistics import DEFAULT_STATISTICS
from bailiwick.registry import Deployment, served_version
from factories import Factory


@pytest.fixture
def deployment(make: Factory) -> Deployment:
    """A deployment that nobody watches yet."""
    return make.running()


def watch(make: Factory, deployment: Deployment, **changes: Any) -> Monitor:
    options: dict[str, Any] = {"max_accuracy_drop": 0.05, "min_rows": 100, "window_days": 30}
    return create_monitor(
        make.session, deployment, actor_id=make.engineer.id, at=make.at, **(options | changes)
    )


def test_the_statistics_are_stored_whole(make: Factory, deployment: Deployment) -> None:
    monitor = watch(make, deployment)
    assert [s["column"] for s in monitor.statistics] == [s.column for s in DEFAULT_STATISTICS]
    assert all({"test", "threshold", "kind", "harmful"} <= set(s) for s in monitor.statistics)


def test_a_deployment_has_one_monitor(make: Factory, deployment: Deployment) -> None:
    watch(make, deployment)
    with pytest.raises(Conflict, match="change that one"):
        watch(make, deployment)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_accuracy_drop": 0.0}, "between 0 and 1"),
        ({"max_accuracy_drop": 1.0}, "between 0 and 1"),
        ({"max_accuracy_drop": float("nan")}, "between 0 and 1"),
        ({"min_rows": 0}, "min_rows"),
        ({"window_days": 0}, "window_days"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    make: Factory, deployment: Deployment, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        watch(make, deployment, **changes)
    monitor = watch(make, deployment)
    with pytest.raises(Invalid, match=said), make.session.begin_nested():
        update_monitor(make.session, monitor, changes, actor_id=make.engineer.id, at=make.at)


def test_a_change_is_told_with_old_and_new_and_only_once(
    make: Factory, deployment: Deployment
) -> None:
    monitor = watch(make, deployment)
    for _ in range(2):
        update_monitor(
            make.session, monitor, {"min_rows": 7}, actor_id=make.engineer.id, at=make.at
        )
    make.session.flush()
    bodies = make.session.scalars(
        select(AuditEvent.body).where(AuditEvent.action == "monitor.updated")
    ).all()
    assert len(bodies) == 1
    assert b'"new":{"min_rows":7},"old":{"min_rows":100}' in bodies[0]


def test_a_version_has_one_baseline_that_never_changes(
    make: Factory, deployment: Deployment
) -> None:
    version = served_version(make.session, deployment)
    baseline = baseline_of(make.session, version.id)
    assert baseline.accuracy == 0.8
    with pytest.raises(Exception, match="is immutable"), make.session.begin_nested():
        make.session.execute(update(Baseline).values(accuracy=0.9))
    with pytest.raises(Exception, match=r"(?i)unique"), make.session.begin_nested():
        add_baseline(
            make.session,
            version.id,
            rows_blob=baseline.rows_blob,
            rows=1,
            accuracy=0.1,
            actor_id=make.engineer.id,
            at=make.at,
        )


def test_a_version_that_was_never_evaluated_has_no_baseline(
    make: Factory, deployment: Deployment
) -> None:
    with pytest.raises(NotFound, match="never evaluated"):
        baseline_of(make.session, deployment.id)


def test_a_monitor_is_labelled_like_its_deployment(make: Factory, deployment: Deployment) -> None:
    resource = monitor_resource(make.session, watch(make, deployment))
    assert (resource.type, resource.namespace) == ("Monitor", deployment.namespace)
    assert resource.label is not None
