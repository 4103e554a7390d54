"""Policy bundles to propose, and the way that leads from a proposal into force, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bailiwick.lifecycle import Platform, open_platform
from bailiwick.policy import read_bundle
from support.api_bodies import model
from support.api_world import World

SHIPPED = {
    name: content.decode()
    for name, content in read_bundle(Path(__file__).parents[2] / "policies").items()
}


def edited(file: str, old: str, new: str, *, where: dict[str, str] | None = None) -> dict[str, str]:
    """A bundle with one text replaced."""
    files = where or SHIPPED
    assert old in files[file]
    return {**files, file: files[file].replace(old, new, 1)}


FROZEN = """
@id("frozen")
@reason("Nothing new is made in this namespace: use what there is.")
forbid (principal, action == Action::"model:create", resource)
when { resource has namespace && resource.namespace == "frozen" };
"""
ONLY_IN_GERMANY = """
@id("only-in-germany")
@reason("What is confidential runs in Germany: choose an environment there.")
forbid (principal, action == Action::"deployment:serve", resource)
when { context.environment_level == 2 && context.purpose == "accounting" }
unless { context.environment_zones.containsAny(["de", "us"]) };
"""
CASE = """
- it: nothing new is made in a frozen namespace
  who: ada
  action: model:create
  what: {type: Model, namespace: frozen}
  expect: deny
  by: [frozen]
"""


def stricter(tag: str) -> dict[str, str]:
    """The shipped bundle with a policy more and a case for it; another bundle for each tag."""
    return {
        **SHIPPED,
        "duties.cedar": f"// {tag}\n{SHIPPED['duties.cedar']}{FROZEN}",
        "tests/duties.yaml": SHIPPED["tests/duties.yaml"] + CASE,
    }


def frozen(name: str) -> dict[str, Any]:
    """A model in the namespace that the stricter bundle freezes."""
    return model(name, namespace="frozen")


def team_of(platform: Platform) -> World:
    """An installation with people who hold one role everywhere each."""
    world = World(platform)
    for role in ("engineer", "approver", "auditor", "steward", "admin"):
        world.join(role, role)
    return world


def propose(world: World, files: dict[str, str], **more: Any) -> dict[str, Any]:
    """A bundle as it is kept, with its report."""
    answer = world.post("/policies/bundles", {"files": files, **more}, by="steward")
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def approve(world: World, digest: str) -> None:
    """Let another person approve it."""
    asked = world.post(f"/policies/bundles/{digest}/approval", by="steward")
    assert asked.status_code == 201, asked.text
    decided = world.post(
        f"/approvals/{asked.json()['id']}/decide", {"approve": True}, by="approver"
    )
    assert decided.json()["state"] == "approved", decided.text


def activate(world: World, digest: str, *, by: str = "steward") -> Any:
    """The answer to an attempt to activate it."""
    return world.post(f"/policies/bundles/{digest}/activate", {"reason": "decided"}, by=by)


def bring_into_force(world: World, files: dict[str, str]) -> str:
    """A bundle proposed, approved and activated; its digest."""
    digest: str = propose(world, files)["digest"]
    approve(world, digest)
    assert activate(world, digest).status_code == 200
    return digest


@contextmanager
def another_process(world: World) -> Iterator[World]:
    """The same installation as another process sees it."""
    opened = open_platform(world.platform.settings, world.platform.clock)
    other = World(opened, tokens=world.tokens, principals=world.principals)
    yield other
    other.client.close()
    opened.close()
