"""Lists ask the database a fixed number of questions, however many rows they show."""

from typing import Any

from sqlalchemy.orm import Session

from bailiwick.access import add_member, create_group, grant_role
from factories import Factory
from support.api_bodies import channel, instances, silence, waiver
from support.api_everything import furnish
from support.api_world import World
from support.counting import counted
from support.waiving import acting


def more_of_everything(session: Session, world: World) -> None:
    """Three more of each thing that lists show."""
    make: Factory = world.factory(session)
    for number in range(3):
        data = make.dataset_version(make.dataset(f"data-{number}"), seed=number + 1)
        model = make.model(f"model-{number}")
        make.champion(make.model_version(model, data))
        place = make.environment(f"place-{number}", keeps_text=True)
        running = make.deployment(model, place, name=f"deployment-{number}", keeps_text=True)
        for thing in (data, data.dataset, running):
            acting(make, thing)
        person = make.principal(f"person-{number}", "engineer")
        by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
        group = create_group(session, f"group-{number}", **by)
        add_member(session, group, person, **by)
        grant_role(session, group, "steward", **by)


LISTS = (
    "/models",
    "/models/finance/classifier/versions",
    "/models/finance/classifier/history",
    "/datasets",
    "/datasets/finance/purchases/versions",
    "/datasets/finance/purchases/marks",
    "/runs",
    "/lineage?node=model:finance/classifier@1",
    "/environments",
    "/deployments",
    "/monitors",
    "/alerts",
    "/silences",
    "/channels",
    "/breaches",
    "/jobs",
    "/retraining-policies",
    "/backtests",
    "/approvals",
    "/waivers",
    "/delegations",
    "/policies/bundles",
    "/decisions",
    "/audit/events",
    "/principals",
    "/groups",
    "/groups/team/members",
    "/tokens",
    "/access-review",
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
    for about in (
        {"type": "dataset-version", "dataset": "finance/purchases", "version": 1},
        {"type": "deployment", "id": places["deployment_id"]},
    ):
        assert world.post("/waivers", waiver(about)).status_code == 201
    world.get("/me", by="admin")  # notes that the token is used
    few = counts(world)
    with world.platform.database.transaction() as session:
        more_of_everything(session, world)
    deployments = world.get("/deployments").json()["items"]
    for deployment in deployments[:3]:
        body = {"deployment_id": deployment["id"], "acts_as": "robot"}
        assert world.post("/monitors", body).status_code == 201
        number = deployment["name"][-1]
        assert world.post("/silences", silence(deployment["id"])).status_code == 201
        more = channel(f"more-{number}", escalate_to="pager", escalate_after_minutes=5)
        assert world.post("/channels", more, by="admin").status_code == 201
        body |= {"dataset": f"finance/data-{number}"}
        assert world.post("/retraining-policies", body).status_code == 201
        replayed = {"deployment_id": deployment["id"]}
        assert world.post("/backtests", replayed).status_code == 202
    assert counts(world) == few
    assert len(world.get("/deployments").json()["items"]) == 4
    assert max(few.values()) <= 14  # lineage: two kinds of nodes, their names and their marks


def test_a_prediction_asks_little_of_the_database(world: World) -> None:
    deployment = world.running()
    path = f"/deployments/{deployment.id}/predict"
    world.post(path, instances("warm"))
    with counted(world) as one:
        assert world.post(path, instances("a")).status_code == 200
    with counted(world) as many:
        ids = [f"r{number}" for number in range(500)]
        assert world.post(path, instances(*ids)).status_code == 200
    assert len(one) <= 9  # one of them is the lock on what windows have room for
    assert len(many) == len(one)
