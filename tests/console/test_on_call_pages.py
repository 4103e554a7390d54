"""Channels, silences and the alert's page: what is shown, to whom, and what the forms do."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.core.clock import ReplayClock
from bailiwick.lifecycle import Platform, open_platform
from bailiwick.notifications import Channel, Delivery, Silence
from bailiwick.registry import Deployment
from console.conftest import application, browse
from console.story import HOSTILE, Told, sign_in
from support.alerting import ADDRESS, receiving, send_all
from support.alerting import SECRET as SIGNING
from support.databases import fresh_databases

PEOPLE: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "boss": (("admin",), {}),
    "eve": (("engineer",), {}),
    "otto": (("auditor",), {}),
    "low": (("admin",), {"clearance": "internal"}),
    "stranger": (("engineer",), {"namespace": "legal"}),
}
MINUTE = "%Y-%m-%dT%H:%M"

As = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def platform(
    request: pytest.FixtureRequest, told: Told, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    """A copy of the story for all tests of this module; each makes channels of its own."""
    folder = tmp_path_factory.mktemp("on-call")
    with fresh_databases(request, folder) as fresh:
        opened = open_platform(told.copied(fresh, folder / "home"), ReplayClock(told.until))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def by(platform: Platform, told: Told) -> As:
    """The browsers of several people, all signed in."""
    app, story = application(platform), replace(told.story, platform=platform)
    browsers = {}
    for name, (roles, given) in PEOPLE.items():
        browsers[name] = browse(app)
        sign_in(browsers[name], story.token(name, *roles, **given))
    return browsers.__getitem__


def filled(**given: Any) -> dict[str, Any]:
    """The form of a channel."""
    return {
        "name": "pager",
        "kind": "webhook",
        "address": ADDRESS,
        "secret": SIGNING,
        "clearance_level": "internal",
        "severities": ["page"],
        **given,
    }


def silent(platform: Platform, **given: Any) -> dict[str, Any]:
    """The form of a silence of a day."""
    ends = platform.clock.now() + timedelta(days=1)
    return {
        "place": "finance/cards",
        "reason": "the ledger moves",
        "ends_at": f"{ends:{MINUTE}}",
        **given,
    }


def newest(platform: Platform, table: type[Any]) -> Any:
    with platform.database.reading() as session:
        return session.scalars(select(table).order_by(table.id.desc()).limit(1)).one()


def test_a_channel_is_opened_and_what_is_secret_about_it_never_comes_back(
    platform: Platform, by: As
) -> None:
    boss = by("boss")
    answer = boss.post("/console/new-channel", data=filled(name="secretive"))
    assert answer.headers["location"] == "/console/channels/secretive"
    pages = [
        boss.get(f"/console/channels{path}") for path in ("", "/secretive", "/secretive/change")
    ]
    assert [page.status_code for page in pages] == [200] * 3
    for page in pages:
        assert "https://hooks.example.com" in page.text
        assert "let-me-in" not in page.text
        assert SIGNING not in page.text
    assert newest(platform, Channel).severities == ["page"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "Pager"}, "the name must be 1 to 100 lower-case letters"),
        ({"address": "http://hooks.example.com/let-me-in"}, "reads https://HOST/PATH"),
        ({"secret": "whsec_let-me-in"}, "a webhook's secret reads whsec_"),
        ({"kind": "apprise", "secret": "", "address": "let-me-in"}, "this is no Apprise URL"),
        ({"kind": "fax"}, "choose the kind: webhook or apprise"),
        ({"clearance_level": "secret"}, "There is no level named secret"),
        ({"clearance_compartments": "nowhere"}, "there is no compartment 'nowhere'"),
        ({"deployments": "finance/cards, cards"}, "'cards' has no slash"),
        ({"namespaces": "finance Legal"}, "the namespace 'Legal' must be"),
        ({"escalate_to": "nobody", "escalate_after_minutes": "5"}, "no channel 'nobody'"),
        ({"escalate_after_minutes": "soon"}, "after how many minutes is a whole number"),
        ({"escalate_after_minutes": "5"}, "escalation takes both"),
        ({"address": "https://" + "a" * 2_000}, "shorten it to 2,000"),
    ],
)
def test_a_mistake_in_a_channel_is_said_on_its_form_which_keeps_the_rest(
    by: As, wrong: dict[str, str], said: str
) -> None:
    typed = filled(namespaces="finance", severities=["note"]) | wrong
    answer = by("boss").post("/console/new-channel", data=typed)
    page = unescape(answer.text)
    assert 400 <= answer.status_code < 500
    assert said.casefold() in page.casefold()
    assert 'role="alert"' in page
    assert f'value="{typed["namespaces"]}"' in page
    assert 'value="note" checked' in page
    assert 'value="page" checked' not in page
    assert "let-me-in" not in page
    assert "a" * 2_000 not in page


def test_a_failed_attempt_leaves_nothing_behind(platform: Platform, by: As) -> None:
    boss = by("boss")
    boss.post("/console/new-channel", data=filled(name="steady"))
    before = newest(platform, Channel)
    revision = str(before.revision)
    wrong = filled(revision=revision, severities=["note"], escalate_to="nobody")
    answer = boss.post(
        "/console/channels/steady/change", data=wrong | {"escalate_after_minutes": "5"}
    )
    assert answer.status_code == 404
    after = newest(platform, Channel)
    assert (after.severities, after.revision) == (["page"], before.revision)


def test_a_channel_is_changed_aimed_and_switched_off(platform: Platform, by: As) -> None:
    boss, home = by("boss"), "/console/channels/turning"
    boss.post("/console/new-channel", data=filled(name="turning"))
    revision = str(newest(platform, Channel).revision)
    change = filled(revision=revision, severities=["note", "warning"], deployments="finance/cards")
    assert boss.post(f"{home}/change", data=change).headers["location"] == home
    late = boss.post(f"{home}/change", data=change | {"deployments": "finance/other"})
    assert late.status_code == 412
    assert "somebody has changed this channel since" in late.text.casefold()
    assert 'value="finance/other"' in late.text
    aimed = boss.post(f"{home}/target", data={"address": "ftp://let-me-in", "secret": SIGNING})
    assert (aimed.status_code, "let-me-in" in aimed.text) == (422, False)
    elsewhere = {"address": "https://elsewhere.example.com/x", "secret": SIGNING}
    assert boss.post(f"{home}/target", data=elsewhere).status_code == 303
    assert boss.post(f"{home}/switch", data={"to": "false"}).status_code == 303
    page = boss.get(home).text
    assert "https://elsewhere.example.com" in page
    assert "it is switched off" in page
    tried = boss.post(f"{home}/trials")
    assert (tried.status_code, "enable it first" in tried.text) == (409, True)


def test_whether_a_channel_works_is_seen_from_what_became_of_its_messages(
    platform: Platform, by: As
) -> None:
    boss, home = by("boss"), "/console/channels/tried"
    with receiving() as receiver:
        boss.post("/console/new-channel", data=filled(name="tried", address=receiver.url))
        assert "not tried lately" in boss.get(home).text
        boss.post(f"{home}/trials")
        send_all(platform)
        assert ">works</span>" in boss.get(home).text
        receiver.status = 503
        boss.post(f"{home}/trials")
        send_all(platform)
    page = boss.get(home).text
    assert "in trouble" in page
    assert "the receiver answered 503" in page


def test_channels_are_for_those_who_oversee_and_changed_by_those_cleared_for_them(by: As) -> None:
    guarded = filled(name="guarded", clearance_level="confidential")
    refused = by("low").post("/console/new-channel", data=guarded)
    assert (refused.status_code, "cleared for more than you" in refused.text) == (403, True)
    by("boss").post("/console/new-channel", data=guarded)
    home = "/console/channels/guarded"
    eve, otto, low = by("eve"), by("otto"), by("low")
    assert "/console/channels" not in eve.get("/console").text
    assert eve.get("/console/channels").status_code == 403
    there, nowhere, form = map(eve.get, (home, "/console/channels/none", "/console/new-channel"))
    assert (there.status_code, form.status_code) == (404, 404)
    assert there.text == nowhere.text
    assert otto.get(home).text.count('method="post"') == 1  # signing out
    assert otto.post(f"{home}/trials").status_code == 403
    assert "cleared for more than you are" in low.get(home).text
    assert low.get(f"{home}/change").status_code == 403
    assert low.post(f"{home}/switch", data={"to": "false"}).status_code == 403


def test_a_silence_that_begins_at_an_alert_knows_what_it_is_about(
    platform: Platform, told: Told, by: As
) -> None:
    eve, alert = by("eve"), f"/console/alerts/{told.story.alert}"
    begun = f"/console/new-silence?alert={told.story.alert}"
    assert begun in eve.get(alert).text
    form = eve.get(begun).text
    assert 'value="finance/cards"' in form
    assert 'value="monitor"' in form
    made = eve.post("/console/new-silence", data=silent(platform, cause="monitor"))
    path = made.headers["location"]
    page = eve.get(alert).text
    assert f'<a href="{path}">a silence</a> holds it back. the ledger moves' in page
    assert begun not in page
    assert "silenced" in eve.get("/console/alerts?state=open").text
    assert "acting</span>" in eve.get(path).text
    assert eve.post(f"{path}/end").headers["location"] == path
    assert "Ended early" in eve.get(path).text
    assert path not in eve.get("/console/silences").text
    assert path in eve.get("/console/silences?over=yes").text


def test_a_maintenance_window_comes_back_each_week(platform: Platform, by: As) -> None:
    weekly = {
        "weekdays": ["saturday", "sunday"],
        "begins": "22:00",
        "ends": "02:00",
        "zone": "Europe/London",
    }
    made = by("boss").post("/console/new-silence", data=silent(platform, place="*", **weekly))
    page = by("boss").get(made.headers["location"]).text
    assert "Saturday, Sunday, 22:00 to 02:00" in page
    assert "Silence of everywhere" in page
    assert newest(platform, Silence).weekly == weekly
    assert by("stranger").get(made.headers["location"]).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"place": ""}, "say what is to be silent"),
        ({"place": "finance/cardz"}, "no deployment 'finance/cardz' that you may see"),
        ({"place": "FINANCE"}, "the namespace must be 1 to 100 lower-case letters"),
        ({"reason": "  "}, "say why nobody is to be told"),
        ({"reason": "x" * 2_001}, "shorten it to 2,000"),
        ({"ends_at": ""}, "say when it ends"),
        ({"ends_at": "tomorrow"}, "its end is a day and a time in UTC"),
        ({"ends_at": "2023-01-01T00:00"}, "a silence ends after it begins"),
        ({"starts_at": "soon"}, "its beginning is a day and a time in UTC"),
        ({"weekdays": "monday"}, "take all three"),
        ({"weekdays": "monday", "begins": "22", "ends": "23:00"}, "is a time like 22:00"),
        ({"weekdays": "mon", "begins": "22:00", "ends": "23:00"}, "name one or more weekdays"),
        (
            {"weekdays": "monday", "begins": "22:00", "ends": "23:00", "zone": "Mars"},
            "no time zone 'Mars'",
        ),
    ],
)
def test_a_mistake_in_a_silence_is_said_on_its_form_which_keeps_the_rest(
    platform: Platform, by: As, wrong: dict[str, str], said: str
) -> None:
    typed = silent(platform, cause=HOSTILE) | wrong
    answer = by("boss").post("/console/new-silence", data=typed)
    page = unescape(answer.text)
    assert answer.status_code == 422
    assert said.casefold() in page.casefold()
    assert f'value="{typed["place"]}"' in page
    assert f">{typed['reason']}</textarea>" in page
    assert HOSTILE not in answer.text


def test_nobody_silences_what_they_may_not_see(platform: Platform, by: As, told: Told) -> None:
    stranger = by("stranger")
    for place in ("finance", "*"):
        answer = stranger.post("/console/new-silence", data=silent(platform, place=place))
        assert answer.status_code == 404
    hidden = stranger.post("/console/new-silence", data=silent(platform))
    missing = stranger.post("/console/new-silence", data=silent(platform, place="finance/nothing"))
    assert hidden.status_code == missing.status_code == 422
    named = ("finance/nothing", "finance/cards")
    assert hidden.text == missing.text.replace(*named)
    assert stranger.get(f"/console/new-silence?alert={told.story.alert}").status_code == 404
    assert "cards" not in stranger.get("/console/silences?over=yes").text
    assert by("otto").get("/console/new-silence").status_code == 403
    assert "New silence" not in by("otto").get("/console/silences").text


def test_an_alert_that_is_resolved_without_a_reason_keeps_the_page(told: Told, by: As) -> None:
    answer = by("eve").post(f"/console/alerts/{told.story.alert}/resolve", data={"resolution": " "})
    assert answer.status_code == 422
    assert "Say why it is over" in answer.text
    assert "Statistics of the newest check" in answer.text


def test_alerts_are_found_by_how_they_stand_and_how_loud_they_are(told: Told, by: As) -> None:
    eve, alert = by("eve"), f"/console/alerts/{told.story.alert}"
    assert alert in eve.get("/console/alerts?state=open&severity=page").text
    for other in ("state=resolved", "severity=note", "state=open&severity=note"):
        assert alert not in eve.get(f"/console/alerts?{other}").text
    assert "Take the filter away" in eve.get("/console/alerts?severity=warning").text


def test_messages_name_only_alerts_that_one_may_see(platform: Platform, told: Told, by: As) -> None:
    by("boss").post("/console/new-channel", data=filled(name="reading"))
    channel = newest(platform, Channel)
    with platform.database.transaction() as session:
        session.add(_about(session.get_one(Deployment, told.story.governed), channel, told))
    home = "/console/channels/reading"
    assert str(told.story.alert) in by("otto").get(home).text
    page = by("low").get(home).text
    assert str(told.story.alert) not in page
    assert "cards" not in page


def _about(deployment: Deployment, channel: Channel, told: Told) -> Delivery:
    return Delivery(
        alert_id=told.story.alert,
        deployment_id=deployment.id,
        channel_id=channel.id,
        severity="page",
        facts={"move": "raised"},
        is_escalation=False,
        state="delivered",
        attempts=1,
        due_at=told.until,
        next_at=told.until,
        caused_by=deployment.created_by,
        created_at=told.until,
        finished_at=told.until,
    )
