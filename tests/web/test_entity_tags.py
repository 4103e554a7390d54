import pytest

from support import api_bodies
from support.api_world import World

MODEL = "/models/finance/notes"


@pytest.fixture
def etag(world: World) -> str:
    """The tag of a model that was just made."""
    tag: str = world.post("/models", api_bodies.model()).headers["ETag"]
    return tag


def test_reading_gives_the_tag_that_writing_gave(world: World, etag: str) -> None:
    assert world.get(MODEL).headers["ETag"] == etag


def test_a_change_of_what_was_read_is_accepted_and_gives_the_next_tag(
    world: World, etag: str
) -> None:
    changed = world.patch(MODEL, {"description": "new"}, headers={"If-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert world.get(MODEL).headers["ETag"] == changed.headers["ETag"]


def test_a_change_of_something_older_is_refused_and_changes_nothing(
    world: World, etag: str
) -> None:
    world.patch(MODEL, {"description": "hers"}, headers={"If-Match": etag})
    late = world.patch(MODEL, {"description": "his"}, headers={"If-Match": etag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert world.get(MODEL).json()["description"] == "hers"


@pytest.mark.parametrize("given", ['"999"', "W/{}", "{}x", '""', "revision", '"a", "b"'])
def test_only_a_strong_tag_of_the_present_state_matches(
    world: World, etag: str, given: str
) -> None:
    answer = world.patch(
        MODEL, {"description": "new"}, headers={"If-Match": given.replace("{}", etag)}
    )
    assert answer.status_code == 412


@pytest.mark.parametrize("given", ["*", '"0", {}', "{} , W/{}"])
def test_a_star_or_one_tag_of_several_is_enough(world: World, etag: str, given: str) -> None:
    answer = world.patch(
        MODEL, {"description": "new"}, headers={"If-Match": given.replace("{}", etag)}
    )
    assert answer.status_code == 200


def test_what_the_client_has_already_is_not_sent_again(world: World, etag: str) -> None:
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = world.get(MODEL, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert world.get(MODEL, headers={"If-None-Match": '"other"'}).status_code == 200


def test_not_modified_is_told_only_to_whom_may_read(world: World, etag: str) -> None:
    world.join("outsider")
    answer = world.get(MODEL, headers={"If-None-Match": etag}, by="outsider")
    assert answer.status_code == 404


def test_a_change_beside_the_row_is_seen_by_if_none_match(world: World) -> None:
    """The champion is shown with the model and kept elsewhere."""
    with world.platform.database.transaction() as session:
        make = world.factory(session)
        version = make.model_version(make.model(), make.dataset_version(make.dataset()))
    before = world.get("/models/finance/classifier").headers["ETag"]
    with world.platform.database.transaction() as session:
        world.factory(session).champion(session.merge(version))
    answer = world.get("/models/finance/classifier", headers={"If-None-Match": before})
    assert (answer.status_code, answer.json()["aliases"]["champion"]) == (200, 1)


def test_files_are_tagged_by_their_digest(world: World) -> None:
    world.running()
    version = world.get("/models/finance/classifier/versions/1").json()
    path = "/models/finance/classifier/versions/1/files/model.safetensors"
    first = world.get(path)
    assert first.headers["ETag"] == f'"{version["manifest"][0]["sha256"]}"'
    again = world.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_promotion_honours_if_match_even_before_there_is_a_champion(world: World) -> None:
    world.running()
    path = "/models/finance/classifier/aliases/champion"
    body = {"version": 1, "reason": "again"}
    stale = world.ask("PUT", path, by="engineer", json=body, headers={"If-Match": '"77"'})
    assert stale.status_code == 412
    tag = world.get(path).headers["ETag"]
    fresh = world.ask("PUT", path, by="engineer", json=body, headers={"If-Match": tag})
    assert (fresh.status_code, fresh.headers["ETag"]) == (200, tag)
    with world.platform.database.transaction() as session:
        world.factory(session).model("bare")
    none = world.ask(
        "PUT",
        "/models/finance/bare/aliases/champion",
        by="engineer",
        json=body,
        headers={"If-Match": "*"},
    )
    assert none.status_code == 404
