from dataclasses import replace

from fastapi import APIRouter

from bailiwick.lifecycle import Platform
from support.api_world import FakeGateway
from support.applications import api_of, application_of, client_of


def test_applications_that_share_routes_answer_for_their_own_installation(
    platform: Platform,
) -> None:
    other = replace(platform, settings=platform.settings.model_copy())
    first, second = (application_of(one, FakeGateway()) for one in (platform, other))
    assert first.state.platform is platform
    assert second.state.platform is other
    for name in vars(first.state)["_state"]:
        assert getattr(first.state, name) is not getattr(second.state, name), name


def test_a_route_that_is_added_to_one_is_unknown_to_the_others(platform: Platform) -> None:
    first, second = (api_of(platform, FakeGateway()) for _ in range(2))
    router = APIRouter(tags=["added"])
    router.add_api_route("/added", lambda: "here")
    first.include_router(router)
    assert client_of(first).get("/added").status_code == 200
    for untouched in (second, api_of(platform, FakeGateway())):
        assert client_of(untouched).get("/added").status_code == 404
