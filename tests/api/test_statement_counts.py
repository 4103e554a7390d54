"""Lists ask the database a fixed number of questions, however many rows they show."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import Session

from factories import Factory
from support.api_bodies import instances
from support.api_everything import furnish
from support.api_world import World


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """The statements that run within."""
    statements: list[str] = []

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            statements.append(statement)

    engine = world.platform.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def more_of_everything(session: Session, world: World) -> None:
    """Three more of each thing that lists show."""
    make: Factory = world.factory(session)
    for number in range(3):
        data = make.dataset_version(make.dataset(f"data-{number}"), seed=number + 1)
        model = make.model(f"model-{number}")
        make.champion(make.model_version(model, data))
        place = make.environment(f"place-{number}", keeps_text=True)
        make.deployment(model, place, name=f"deployment-{number}", keeps_text=True)
        make.principal(f"person-{number}", "engineer")


LISTS = (
    "/models",
    "/models/finance/classifier/versions",
    "/models/finance/classifier/history",
    "/datasets",
    "/datasets/finance/purchases/versions",
    "/runs",
    "/lineage?node=model:finance/classifier@1",
    "/environments",
    "/deployments",
    "/monitors",
    "/alerts",
    "/jobs",
    "/retraining-policies",
    "/approvals",
    "/decisions",
    "/audit/events",
    "/principals",
    "/tokens",
)


def counts(world: World) -> dict[str, int]:
    told = {}
    for path in LISTS:
        with counted(world) as statements:
            answer = world.get(path, by="admin")
        assert answer.status_code == 200, answer.text
        told[path] = len(statements)
    return told


def test_lists_ask_as_much_of_one_row_as_of_many(world: World) -> None:
    places = furnish(world, champions=2)
    world.post(f"/jobs/{places['job_id']}/cancel")
    world.get("/me", by="admin")  # notes that the token is used
    few = counts(world)
    with world.platform.database.transaction() as session:
        more_of_everything(session, world)
    deployments = world.get("/deployments").json()["items"]
    for deployment in deployments[:3]:
        body = {"deployment_id": deployment["id"], "acts_as": "robot"}
        assert world.post("/monitors", body).status_code == 201
        number = deployment["name"][-1]
        body |= {"dataset": f"finance/data-{number}"}
        assert world.post("/retraining-policies", body).status_code == 201
    assert counts(world) == few
    assert len(world.get("/deployments").json()["items"]) == 4
    assert max(few.values()) <= 12


def test_a_prediction_asks_little_of_the_database(world: World) -> None:
    deployment = world.running()
    path = f"/deployments/{deployment.id}/predict"
    world.post(path, instances("warm"))
    with counted(world) as one:
        assert world.post(path, instances("a")).status_code == 200
    with counted(world) as many:
        ids = [f"r{number}" for number in range(500)]
        assert world.post(path, instances(*ids)).status_code == 200
    assert len(one) <= 8
    assert len(many) == len(one)
