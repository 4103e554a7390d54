import pytest
from fastapi import APIRouter
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from bailiwick.core.errors import Unavailable
from bailiwick.policy import PLATFORM, Decision
from bailiwick.registry import RegisteredModel
from bailiwick.web import Governed, GovernedRoute, acts
from support import api_bodies
from support.api_world import World


def models(world: World) -> int:
    with world.platform.database.reading() as session:
        return models_in(session)


def models_in(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(RegisteredModel)) or 0


def test_a_governed_route_without_an_action_refuses_to_exist() -> None:
    router = APIRouter(route_class=GovernedRoute)

    def nothing() -> None:
        """Declares no action."""

    with pytest.raises(RuntimeError, match="/nothing declares no policy action"):
        router.get("/nothing")(nothing)


def test_a_route_that_never_asks_the_policy_is_withheld_and_rolled_back(world: World) -> None:
    reached: list[int] = []
    router = APIRouter(tags=["test"], route_class=GovernedRoute)

    @router.post("/careless", **acts("model:create"))
    def careless(caller: Governed) -> dict[str, str]:
        world.factory(caller.session).model("leaked")
        reached.append(models_in(caller.session))
        return {"secret": "told"}

    world.app.include_router(router)
    answer = world.post("//careless", {})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "told" not in answer.text
    assert (reached, models(world)) == ([1], 0)


def test_a_route_that_asks_is_answered(world: World) -> None:
    router = APIRouter(tags=["test"], route_class=GovernedRoute)

    @router.get("/careful", **acts("self:read"))
    def careful(caller: Governed) -> dict[str, str]:
        caller.require(PLATFORM)
        return {"fine": "yes"}

    world.app.include_router(router)
    assert world.get("//careful").json() == {"fine": "yes"}


def test_a_commit_that_fails_answers_an_error_and_no_success(world: World) -> None:
    def refuse(_: Session) -> None:
        raise Unavailable("the disk that holds the database is full")

    event.listen(Session, "before_commit", refuse)
    try:
        answer = world.post("/models", api_bodies.model())
    finally:
        event.remove(Session, "before_commit", refuse)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert models(world) == 0


def test_what_was_answered_is_committed_before_the_answer_leaves(world: World) -> None:
    seen: list[int] = []
    application = world.app.build_middleware_stack()

    async def watched(scope, receive, send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        async def sending(message):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if message["type"] == "http.response.start":
                seen.append(models(world))
            await send(message)

        await application(scope, receive, sending)

    world.app.middleware_stack = watched
    assert world.post("/models", api_bodies.model()).status_code == 201
    assert seen == [1]


def test_a_denial_is_recorded_though_its_request_was_rolled_back(world: World) -> None:
    answer = world.post("/models", api_bodies.model(), by="approver")
    assert answer.status_code == 403
    with world.platform.database.reading() as session:
        decision = session.scalars(select(Decision).where(Decision.allowed.is_(False))).one()
    assert str(decision.id) == answer.json()["decision"]
    assert (decision.action, decision.resource_type) == ("model:create", "Model")
    assert world.get(f"/decisions/{decision.id}", by="approver").json()["reason"] in answer.text
    assert models(world) == 0


def test_an_allowed_change_is_recorded_with_it_and_a_reading_is_not(world: World) -> None:
    world.post("/models", api_bodies.model())
    world.get("/models/finance/notes")
    with world.platform.database.reading() as session:
        asked = [decision.action for decision in session.scalars(select(Decision))]
    assert asked == ["model:create"]


def test_a_busy_database_does_not_undo_what_was_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise Unavailable("the database is busy")

    monkeypatch.setattr("bailiwick.web.callers.note_use", busy)
    assert world.post("/models", api_bodies.model()).status_code == 201
    assert models(world) == 1
