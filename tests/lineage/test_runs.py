import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from bailiwick.audit import AuditEvent
from bailiwick.core.ids import new_id
from bailiwick.lineage import LineageEdge, Node, Run, record_run
from bailiwick.policy import intern_label
from factories import CONFIDENTIAL, Factory

DATA, MODEL = Node("dataset-version", new_id()), Node("model-version", new_id())


def a_run(make: Factory, *, kind: str = "train", inputs: tuple[Node, ...] = (DATA,)) -> Run:
    return record_run(
        make.session,
        kind,
        namespace="finance",
        label_id=intern_label(make.session, CONFIDENTIAL),
        inputs=inputs,
        outputs=[MODEL],
        parameters={"seed": 17},
        metrics={"accuracy": 0.5},
        started_at=make.at - timedelta(hours=1),
        actor_id=make.engineer.id,
        at=make.at,
    )


def test_a_run_is_kept_with_all_that_it_read_and_wrote(make: Factory) -> None:
    run = a_run(make)
    edges = make.session.scalars(select(LineageEdge).order_by(LineageEdge.direction)).all()
    assert [(edge.direction, edge.node_type, edge.node_id) for edge in edges] == [
        ("input", "dataset-version", DATA.id),
        ("output", "model-version", MODEL.id),
    ]
    assert (run.started_at, run.finished_at) == (make.at - timedelta(hours=1), make.at)
    assert (run.parameters, run.metrics) == ({"seed": 17}, {"accuracy": 0.5})


def test_the_same_input_twice_is_one_edge(make: Factory) -> None:
    a_run(make, inputs=(DATA, DATA))
    inputs = select(LineageEdge).where(LineageEdge.direction == "input")
    assert len(make.session.scalars(inputs).all()) == 1


def test_a_run_is_told_in_the_log_with_its_nodes(make: Factory) -> None:
    run = a_run(make)
    body = make.session.scalars(
        select(AuditEvent.body).where(AuditEvent.action == "run.recorded")
    ).one()
    told = json.loads(body)
    assert told["subject"]["id"] == str(run.id)
    assert told["details"]["inputs"] == [f"dataset-version:{DATA.id}"]
    assert told["details"]["outputs"] == [f"model-version:{MODEL.id}"]


def test_an_unknown_kind_of_run_is_refused_by_the_database(make: Factory) -> None:
    with pytest.raises(IntegrityError), make.session.begin_nested():
        a_run(make, kind="guess")


@pytest.mark.parametrize("table", [Run, LineageEdge])
def test_runs_and_edges_never_change_or_go(make: Factory, table: type[Run]) -> None:
    a_run(make)
    make.session.flush()
    with pytest.raises(Exception, match="is immutable"), make.session.begin_nested():
        make.session.execute(update(table).values(id=new_id()))
    with pytest.raises(Exception, match="is immutable"), make.session.begin_nested():
        make.session.execute(delete(table))
