"""History: what was recorded is neither changed nor removed, whoever asks the database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from bailiwick.db import Base, Database
from bailiwick.db.session import ImmutableRow
from bailiwick.lineage import DatasetVersion, Run
from bailiwick.policy import Label, intern_label
from bailiwick.web.tables import IdempotentResponse
from factories import Factory

AT = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = Label("restricted", frozenset(), frozenset({"de"}), frozenset({"accounting"}))
HISTORY = {
    "alert_events",
    "alias_moves",
    "approval_comments",
    "bundle_activations",
    "clearance_changes",
    "label_moves",
    "label_references",
    "policy_bundles",
    "approval_votes",
    "audit_checkpoints",
    "audit_events",
    "audit_leaves",
    "backtest_results",
    "backtests",
    "baselines",
    "challenger_trials",
    "check_results",
    "data_keys",  # but for the wrapping, which goes
    "dataset_versions",
    "decisions",
    "evaluations",
    "feedback",
    "inference_records",
    "job_events",
    "retraining_considerations",
    "taxonomies",
    "batch_quarantines",
    "labelling_rounds",
    "joined_feedback",
    "label_checks",
    "record_segments",
    "rollout_events",
    "labels",
    "lineage_edges",
    "model_versions",
    "runs",
    "text_erasures",
    "traffic_baselines",
    "window_checks",
    "window_layouts",
}
# What may change: pointers, states, settings, and answers that are kept for a while.
CHANGEABLE = {
    "label_arrivals",
    "label_changes",  # counted, and then gone
    "label_hours",  # labels are corrected and withdrawn
    "label_incidents",
    "label_ledgers",
    "labelling_items",
    "label_watches",
    "drift_incidents",
    "watches",
    "window_parts",  # folded into windows, which late records are added to
    "windows",
    "channels",
    "deliveries",
    "silences",
    "intake_rules",
    "archived_join_keys",  # go with their segment
    "keeping_rules",
    "rejected_records",
    "breaches",
    "column_marks",
    "decision_counts",
    "delegations",
    "group_memberships",
    "groups",
    "identities",
    "passwords",
    "pending_sign_ins",
    "sign_in_failures",
    "waivers",
    "audit_waiting",
    "alerts",
    "aliases",
    "approval_requests",
    "console_sessions",
    "datasets",
    "deployments",
    "environments",
    "evaluation_settings",
    IdempotentResponse.__tablename__,
    "job_log_lines",  # the oldest ones go
    "jobs",
    "monitors",
    "principals",
    "registered_models",
    "retraining_policies",
    "role_bindings",
    "rollout_plans",
    "rollout_records",  # judged once
    "rollouts",
    "schedules",
    "tokens",
}
VALUES: dict[type[sa.types.TypeEngine[Any]], Callable[[], Any]] = {
    sa.Uuid: uuid4,
    sa.String: lambda: "x",
    sa.Integer: lambda: 1,
    sa.Double: lambda: 0.5,
    sa.LargeBinary: lambda: b"x",
    sa.Boolean: lambda: True,
    sa.JSON: dict,
}


def test_every_table_is_either_history_or_known_to_change() -> None:
    assert set(Base.metadata.tables) == HISTORY | CHANGEABLE
    assert not HISTORY & CHANGEABLE


@pytest.fixture
def filled(database: Database) -> Database:
    """A row in every table of history. References are not kept to: only triggers are tested."""
    postgresql = database.engine.dialect.name == "postgresql"
    with database.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        if not postgresql:
            driver.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            if postgresql:
                # As replication does: no references are checked, no ordinary triggers fire.
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for name in sorted(HISTORY):
                connection.execute(sa.insert(Base.metadata.tables[name]), a_row(name))
        if not postgresql:
            driver.execute("PRAGMA foreign_keys = ON")
    return database


def a_row(table: str) -> dict[str, Any]:
    allowed = {
        "kind": "train",
        "direction": "input",
        "node_type": "model-version",
        "severity": "note",
        "grade": "full",
        "origin": "traffic",
    }
    if table == "label_references":
        allowed["origin"] = "asked"
    return {
        column.name: allowed.get(column.name) or a_value(column.type)
        for column in Base.metadata.tables[table].columns
    }


def a_value(kind: sa.types.TypeEngine[Any]) -> Any:
    fitting = (make() for known, make in VALUES.items() if isinstance(kind, known))
    return next(fitting, AT)


@pytest.mark.parametrize("name", sorted(HISTORY))
def test_history_refuses_changes_and_removal(filled: Database, name: str) -> None:
    table = Base.metadata.tables[name]
    column = next(iter(table.columns))
    statements: list[sa.Executable] = [
        sa.update(table).values({column: column}),
        sa.delete(table),
    ]
    if filled.engine.dialect.name == "postgresql":
        statements.append(sa.text(f"TRUNCATE {name} CASCADE"))
    for statement in statements:
        with pytest.raises(ImmutableRow, match="never changes"), filled.transaction() as session:
            session.execute(statement)
    with filled.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 1


@pytest.mark.parametrize("name", ["dataset_versions", "model_versions", "runs"])
def test_of_labelled_history_the_label_alone_may_move(filled: Database, name: str) -> None:
    table = Base.metadata.tables[name]
    for column in table.columns:
        if column.name == "label_id":
            continue
        with pytest.raises(ImmutableRow), filled.transaction() as session:
            session.execute(sa.update(table).values({column.name: column}))


def test_of_a_record_the_keys_of_its_text_may_go_and_nothing_else_moves(filled: Database) -> None:
    table = Base.metadata.tables["inference_records"]
    for column in table.columns:
        if column.name in ("sealed", "data_key_id", "text"):
            continue  # what sealing moves has rules of its own
        with pytest.raises(ImmutableRow), filled.transaction() as session:
            session.execute(sa.update(table).values({column.name: column}))
    with filled.transaction() as session:
        session.execute(sa.update(table).values(text_key=None, form_key=None, embedding=None))


def test_labels_of_real_versions_and_runs_move(make: Factory) -> None:
    version = make.model_version(make.model(), make.dataset_version(make.dataset()))
    (data,) = make.session.scalars(sa.select(DatasetVersion))
    for labelled in (version, data, make.session.get_one(Run, version.run_id)):
        labelled.label_id = intern_label(make.session, SECRET)
    make.session.flush()
