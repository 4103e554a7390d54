"""Rollouts over HTTP: who answers what, what guards see of it, and who may move them."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from bailiwick.api.app import keep_warm
from bailiwick.api.rollouts import RolloutPlanIn
from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform
from bailiwick.lifecycle.rolling_out import judge_all
from bailiwick.lifecycle.rollouts import Plan, set_plan
from bailiwick.monitoring import InferenceRecord
from bailiwick.registry import Rollout, RolloutRecord
from bailiwick.serving.observing import Observer
from bailiwick.serving.splitting import is_in_canary
from support.api_bodies import FEATURES, instances
from support.api_world import World
from support.counting import counted
from support.rollouts import QUICK, SHADOW_FIRST, Begun, begun

HALF = Plan(canary_shares=(0.5,), step_hours=1, min_requests=20)


@pytest.fixture
def observer(world: World) -> Iterator[Observer]:
    """What writes down what guards are to learn; no test leaves its thread behind."""
    observer: Observer = world.app.state.observer
    yield observer
    observer.close()


def rolled_out(world: World, plan: Plan = HALF) -> Begun:
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        for person in (make.engineer, make.approver):
            if person.name not in world.tokens:
                world.know(make, person)
        return begun(make, plan)


def keyed(*keys: str) -> dict[str, Any]:
    rows = [{"features": FEATURES, "record_id": f"of-{key}", "key": key} for key in keys]
    return {"instances": rows}


def rows(platform: Platform, what: Any) -> list[Any]:
    with platform.database.reading() as session:
        return list(session.scalars(select(what)))


def test_a_canary_answers_its_keys_and_no_others_from_many_threads(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world)
    path = f"/deployments/{one.deployment.id}/predict"
    keys = [f"customer-{number}" for number in range(48)]
    told: dict[str, int] = {}

    def ask(some: list[str]) -> None:
        for key in some:
            answer = world.post(path, keyed(key)).json()
            told[key] = answer["predictions"][0]["version"]

    threads = [threading.Thread(target=ask, args=(keys[place::4],)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {key: 2 if is_in_canary(one.rollout.id, key, 0.5) else 1 for key in keys}
    assert told == wanted
    assert 10 < list(wanted.values()).count(2) < 38
    observer.settle()
    roles = {row.record_id: row.role for row in rows(world.platform, RolloutRecord)}
    assert roles == {f"of-{key}": ("champion", "canary")[told[key] - 1] for key in keys}


def test_one_request_may_be_split_and_each_record_carries_its_version(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world)
    keys = [f"customer-{number}" for number in range(30)]
    answer = world.post(f"/deployments/{one.deployment.id}/predict", keyed(*keys)).json()
    assert answer["version"] == 1
    versions = {one.first.id: 1, one.second.id: 2}
    logged = {
        row.record_id: versions[row.version_id] for row in rows(world.platform, InferenceRecord)
    }
    assert {each["record_id"]: each["version"] for each in answer["predictions"]} == logged
    assert set(logged.values()) == {1, 2}
    observer.settle()


def test_the_split_is_the_same_for_another_process_and_grows_with_the_share(
    world: World,
) -> None:
    one = rolled_out(world, QUICK)
    again = World(world.platform, tokens=world.tokens, principals=world.principals)
    keys = [f"customer-{number}" for number in range(60)]
    path = f"/deployments/{one.deployment.id}/predict"

    def canaries(asked: World) -> set[str]:
        answer = asked.post(path, keyed(*keys)).json()
        asked.app.state.observer.close()
        return {each["record_id"] for each in answer["predictions"] if each["version"] == 2}

    small = canaries(world)
    assert canaries(again) == small
    moved = world.post(f"/deployments/{one.deployment.id}/rollout/advance", {"reason": "good"})
    assert moved.json()["share"] == 0.5
    assert small < canaries(world)


def test_what_the_canary_cannot_answer_the_champion_does_and_it_is_taken_back(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world)
    world.gateway.broken = {str(one.second.id)}
    path = f"/deployments/{one.deployment.id}/predict"
    answer = world.post(path, keyed(*(f"customer-{number}" for number in range(80))))
    assert answer.status_code == 200
    assert {each["version"] for each in answer.json()["predictions"]} == {1}
    observer.settle()
    judge_all(world.platform)
    shown = world.get(f"/deployments/{one.deployment.id}/rollouts").json()["items"][0]
    assert shown["state"] == "rolled-back"
    assert [guard["guard"] for guard in shown["guards"] if guard["breached"]] == ["errors"]
    (alert,) = world.get("/alerts").json()["items"]
    assert (alert["source"], alert["kind"]) == ("rollout", "rolled-back")


def test_a_shadow_leaves_answers_and_the_inference_log_alone(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world, SHADOW_FIRST)
    world.gateway.said = {str(one.second.id): "Travel"}
    answer = world.post(f"/deployments/{one.deployment.id}/predict", instances("a", "b")).json()
    assert [each["label"] for each in answer["predictions"]] == ["Fuel", "Fuel"]
    observer.settle()
    assert {row.version_id for row in rows(world.platform, InferenceRecord)} == {one.first.id}
    shadows = rows(world.platform, RolloutRecord)
    assert {(row.role, row.prediction, row.champion_prediction) for row in shadows} == {
        ("shadow", "Travel", "Fuel")
    }


def test_a_shadow_that_fails_or_hangs_neither_fails_nor_delays_an_answer(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world, SHADOW_FIRST)
    asked, goes_on = threading.Event(), threading.Event()
    own = world.gateway.classify

    def slowly(version_id: str, texts: Any, **more: Any) -> Any:
        if version_id == str(one.second.id):
            asked.set()
            goes_on.wait(30)
        return own(version_id, texts, **more)

    world.gateway.classify = slowly  # type: ignore[method-assign]
    path = f"/deployments/{one.deployment.id}/predict"
    assert world.post(path, instances("a")).status_code == 200
    assert asked.wait(30)
    assert world.post(path, instances("b")).status_code == 200
    world.gateway.broken = {str(one.second.id)}
    goes_on.set()
    observer.settle()
    assert {row.failed for row in rows(world.platform, RolloutRecord)} == {True}


def test_a_full_queue_drops_observations_and_not_answers(world: World, observer: Observer) -> None:
    one = rolled_out(world)
    small = Observer(world.platform.database, world.gateway, waiting=1)
    world.app.state.observer = small
    path = f"/deployments/{one.deployment.id}/predict"
    with world.platform.database.transaction():  # whoever writes has to wait
        pass
    for number in range(5):
        assert world.post(path, instances(f"r{number}")).status_code == 200
    small.close()
    with world.platform.database.reading() as session:
        seen = session.scalar(select(func.count()).select_from(RolloutRecord))
    assert seen == 5 - small.dropped
    world.app.state.observer = observer


def test_a_prediction_asks_no_more_of_the_database_while_a_version_is_rolled_out(
    world: World, observer: Observer
) -> None:
    one = rolled_out(world, SHADOW_FIRST)
    path = f"/deployments/{one.deployment.id}/predict"
    world.post(path, instances("warm"))
    observer.settle()
    observer.close()
    world.app.state.observer = Deaf()
    with counted(world) as statements:
        assert world.post(path, instances("a")).status_code == 200
    assert len(statements) <= 9
    world.app.state.observer = observer


class Deaf:
    """Takes nothing in: its statements are made on another thread, and not counted here."""

    def note(self, _: object) -> bool:
        """Leave it."""
        return False


def test_who_should_serve_is_told_with_a_tag_that_changes_with_it(world: World) -> None:
    one = rolled_out(world)
    path = f"/deployments/{one.deployment.id}/rollout"
    first = world.get(path)
    told = first.json()
    assert (told["version"], told["challenger"]["version"]) == (1, 2)
    assert (told["challenger"]["state"], told["challenger"]["share"]) == ("canary", 0.5)
    known = {"If-None-Match": first.headers["etag"]}
    assert world.get(path, headers=known).status_code == 304
    world.post(f"{path}/stop", {"reason": "not now"})
    after = world.get(path, headers=known)
    assert (after.status_code, after.json()["challenger"]) == (200, None)
    listed = world.get("/deployments").json()["items"][0]["rollout"]
    assert listed == after.json()


def test_steps_by_hand_lead_to_the_champion_and_back(world: World) -> None:
    one = rolled_out(world)
    path = f"/deployments/{one.deployment.id}/rollout"
    full = world.post(f"{path}/advance", {"reason": "known to be good"}).json()
    assert full["state"] == "full"
    assert [move["move"] for move in full["moves"]] == ["started", "passed", "completed"]
    assert world.get("/models/finance/classifier/aliases/champion").json()["version"] == 2
    back = world.post(f"{path}/rollback", {"reason": "not good after all"}).json()
    assert back["state"] == "rolled-back"
    assert world.get("/models/finance/classifier/aliases/champion").json()["version"] == 1
    assert world.get(f"{path}s/{back['id']}").json() == back
    again = world.post(f"{path}/advance", {"reason": "once more"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_a_promotion_under_a_plan_answers_with_the_champion_that_stands(world: World) -> None:
    one = rolled_out(world)
    path = "/models/finance/classifier/aliases/champion"
    answer = world.ask("PUT", path, by="engineer", json={"version": 2, "reason": "again"}).json()
    assert answer["version"] == 1
    assert answer["rollouts"] == [str(one.rollout.id)]


def test_a_plan_is_set_read_changed_only_as_seen_and_removed(world: World) -> None:
    deployment = world.running()
    path = f"/deployments/{deployment.id}/rollout-plan"
    assert world.get(path).status_code == 404
    made = world.ask("PUT", path, by="engineer", json={"canary_shares": [0.1, 0.4]})
    assert made.json()["settings"]["canary_shares"] == [0.1, 0.4]
    stale = {"If-Match": '"7-x"'}
    refused = world.ask("PUT", path, by="engineer", json={}, headers=stale)
    assert refused.status_code == 412
    for wrong in ({"canary_shares": [0.4, 0.1]}, {"canary_shares": []}, {"served": "there"}):
        assert world.ask("PUT", path, by="engineer", json=wrong).status_code == 422
    assert world.ask("DELETE", path, by="engineer").status_code == 204
    assert world.get(path).status_code == 404


def test_the_api_and_the_lifecycle_agree_on_what_a_plan_is_without_a_word() -> None:
    assert Plan.from_json(RolloutPlanIn().model_dump()) == Plan()


def test_both_versions_stay_warm_and_the_one_before_for_its_hours(
    world: World, clock: ReplayClock
) -> None:
    one = rolled_out(world)
    kept = keep_warm(world.platform, world.gateway, set())
    assert kept == {one.first.id, one.second.id}
    assert {UUID(each) for each in world.gateway.kept} == kept
    path = f"/deployments/{one.deployment.id}/rollout"
    assert world.post(f"{path}/advance", {"reason": "good"}).json()["state"] == "full"
    assert keep_warm(world.platform, world.gateway, kept) == kept
    clock.advance_to(clock.now() + timedelta(hours=HALF.warm_hours))
    assert keep_warm(world.platform, world.gateway, kept) == set()
    assert world.gateway.kept == []


def test_rollouts_are_counted_for_those_who_see_them_and_forgotten_after_a_day(
    world: World, clock: ReplayClock
) -> None:
    one = rolled_out(world)
    world.join("junior", "engineer", clearance="public")

    def told(by: str) -> list[str]:
        text = world.get("//metrics", by=by).text
        return [line for line in text.splitlines() if line.startswith("bailiwick_rollouts{")]

    assert told("engineer") == ['bailiwick_rollouts{state="canary"} 1.0']
    assert told("junior") == []
    world.post(f"/deployments/{one.deployment.id}/rollout/stop", {"reason": "x"})
    assert told("engineer") == ['bailiwick_rollouts{state="stopped"} 1.0']
    clock.advance_to(clock.now() + timedelta(days=1))
    assert told("engineer") == []


def test_set_plans_reach_only_later_rollouts(world: World) -> None:
    one = rolled_out(world)
    with world.platform.database.transaction() as session:
        deployment = session.merge(one.deployment, load=True)
        by = {"actor_id": world.principals["engineer"].id, "at": world.platform.clock.now()}
        set_plan(session, deployment, QUICK, **by)
    with world.platform.database.reading() as session:
        rollout = session.get_one(Rollout, one.rollout.id)
        assert Plan.from_json(rollout.plan) == HALF
