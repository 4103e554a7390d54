"""Channels from outside: secrets go in and never come out, and nobody gives more than they hold."""

from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from support.alerting import Receiver, receiving, send_all
from support.api_bodies import channel
from support.api_world import World

SECRETS = ("let-me-in", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
HOOK = {"address": "https://hooks.example.com/let-me-in"}
CHAT = {
    "kind": "apprise",
    "address": "jsons://user:let-me-in@chat.example.com/let-me-in",
    "secret": None,
}


@pytest.mark.parametrize(
    ("target", "hint"), [(HOOK, "https://hooks.example.com"), (CHAT, "jsons://")]
)
def test_the_address_and_the_secret_never_come_out(
    world: World, target: dict[str, Any], hint: str
) -> None:
    made = world.post("/channels", channel(**target), by="admin")
    assert made.status_code == 201, made.text
    assert made.json()["hint"] == hint
    answers = [
        made,
        world.get("/channels/fresh", by="admin"),
        world.get("/channels", by="auditor"),
        world.patch("/channels/fresh", {"severities": ["page"]}, by="admin"),
        world.post("/channels", channel(**target), by="admin"),  # there is one already
        world.get("/decisions?limit=100", by="admin"),
        world.get("/audit/events", by="auditor"),
    ]
    assert answers[4].status_code == 409
    with world.platform.database.reading() as session:
        bodies = [event.body.decode() for event in session.scalars(select(AuditEvent))]
    for secret in SECRETS:
        assert not any(secret in answer.text for answer in answers)
        assert not any(secret in body for body in bodies)


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"address": "http://hooks.example.com/x"}, 422, "https://HOST/PATH"),
        ({"address": "https://user:let-me-in@hooks.example.com"}, 422, "https://HOST/PATH"),
        ({"address": "https://"}, 422, "https://HOST/PATH"),
        ({"address": "https://[::1"}, 422, "https://HOST/PATH"),
        ({"secret": None}, 422, "needs a secret"),
        ({"secret": "whsec_c2hvcnQ="}, 422, "24 to 64 random bytes"),
        ({"secret": "let-me-in"}, 422, "24 to 64 random bytes"),
        (CHAT | {"address": "nothing://let-me-in"}, 422, "Apprise URL"),
        (CHAT | {"address": "syslog://let-me-in"}, 422, "Apprise URL"),
        (CHAT | {"secret": "let-me-in"}, 422, "leave the secret out"),
        ({"kind": "pigeon"}, 422, "kind"),
        ({"severities": ["let-me-in"]}, 422, "severities"),
        ({"clearance_level": "odd"}, 422, "level"),
        ({"clearance_compartments": ["nothing"]}, 422, "compartment"),
        ({"escalate_to": "pager"}, 422, "escalation takes both"),
        ({"escalate_to": "nobody", "escalate_after_minutes": 5}, 404, "create it first"),
        ({"escalate_to": "fresh", "escalate_after_minutes": 5}, 422, "to itself"),
        ({"deployments": ["cards"]}, 422, "deployments"),
    ],
)
def test_what_makes_no_sense_is_refused_without_repeating_it(
    world: World, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = world.post("/channels", channel(**changes), by="admin")
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert "let-me-in" not in answer.text
    assert world.get("/channels", by="admin").json()["items"] == []


def test_nobody_opens_or_changes_a_channel_cleared_for_more_than_they_are(world: World) -> None:
    world.join("junior", "admin", clearance="internal")
    high = channel(clearance_level="confidential")
    refused = world.post("/channels", high, by="junior")
    assert (refused.status_code, refused.json()["code"]) == (403, "beyond-clearance")
    assert world.post("/channels", high, by="admin").status_code == 201
    # Aimed at themselves, it would tell them what they may not know.
    for change in (
        HOOK | {"secret": channel()["secret"]},
        {"clearance_level": "public"},
        {"enabled": False},
    ):
        refused = world.patch("/channels/fresh", change, by="junior")
        assert refused.json()["code"] == "beyond-clearance"
    assert world.patch("/channels/fresh", {"clearance_level": "public"}, by="admin").is_success
    assert world.patch("/channels/fresh", {"enabled": False}, by="junior").is_success


def test_there_is_one_default_channel(world: World) -> None:
    assert world.post("/channels", channel(is_default=True), by="admin").is_success
    second = world.post("/channels", channel("second", is_default=True), by="admin")
    assert (second.status_code, "'fresh'" in second.json()["detail"]) == (409, True)
    world.patch("/channels/fresh", {"is_default": False}, by="admin")
    assert world.post("/channels", channel("second", is_default=True), by="admin").is_success


def test_terms_are_changed_one_by_one_and_taken_back(world: World) -> None:
    world.post("/channels", channel("boss"), by="admin")
    made = world.post("/channels", channel(), by="admin")
    path = "/channels/fresh"
    handing = {"escalate_to": "boss", "escalate_after_minutes": 15}
    changed = world.patch(path, handing, by="admin", headers={"If-Match": made.headers["ETag"]})
    assert changed.json() == made.json() | handing
    stale = world.patch(path, handing, by="admin", headers={"If-Match": made.headers["ETag"]})
    assert stale.status_code == 412
    none = {"escalate_to": None, "escalate_after_minutes": None}
    assert world.patch(path, none, by="admin").json() == made.json()
    for wrong in ({"severities": None}, {"secret": channel()["secret"]}, {"escalate_to": "boss"}):
        assert world.patch(path, wrong, by="admin").status_code == 422


def test_a_trial_says_that_the_channel_works_and_nothing_else(world: World) -> None:
    with receiving() as receiver:
        world.post("/channels", channel(address=receiver.url), by="admin")
        queued = world.post("/channels/fresh/trials", by="admin")
        assert (queued.status_code, queued.json()["state"]) == (202, "pending")
        send_all(world.platform)
        (trial,) = world.get("/channels/fresh/trials", by="admin").json()["items"]
        assert (trial["state"], trial["attempts"]) == ("delivered", 1)
        said(receiver, trial["id"])
    world.patch("/channels/fresh", {"enabled": False}, by="admin")
    assert world.post("/channels/fresh/trials", by="admin").status_code == 409


def said(receiver: Receiver, message_id: str) -> None:
    (told,) = receiver.bodies
    assert told == {"type": "trial", "data": {"text": f"This channel works. Message {message_id}"}}


def test_a_new_address_is_used_from_then_on(world: World) -> None:
    with receiving() as receiver:
        world.post("/channels", channel(), by="admin")
        target = {"address": receiver.url, "secret": channel()["secret"]}
        assert world.patch("/channels/fresh", target, by="admin").json()["hint"] == (
            "http://127.0.0.1"
        )
        world.post("/channels/fresh/trials", by="admin")
        send_all(world.platform)
        assert len(receiver.arrived) == 1
