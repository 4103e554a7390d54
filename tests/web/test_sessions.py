"""Console sessions: what opens one, what it may do, and everything that ends it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.requests import Request

from bailiwick.access import Token, disable, hash_token, issue_token, revoke_token
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Denied, Unauthenticated
from bailiwick.web.pending_sign_ins import LIFETIME as PENDING_LIFETIME
from bailiwick.web.pending_sign_ins import come_back, depart
from bailiwick.web.sessions import (
    IDLE,
    LIFETIME,
    NOTED_EVERY,
    cookie_name,
    cookie_of,
    cookie_rules,
    end_sessions,
    is_session_unnoted,
    note_session,
    require_own_origin,
    sign_in,
    sign_out,
    signed_in,
)
from bailiwick.web.tables import ConsoleSession, PendingSignIn
from factories import Factory


def enter(make: Factory, *, token: Token | None = None) -> str:
    return sign_in(make.session, make.engineer, by="token", token=token, at=make.at)


def is_in(make: Factory, cookie: str, after: timedelta = timedelta()) -> bool:
    try:
        return signed_in(make.session, cookie, at=make.at + after).principal is make.engineer
    except Unauthenticated:
        return False


def token_of(make: Factory, **more: Any) -> Token:
    token, _ = issue_token(
        make.session, make.engineer, "x", actor_id=make.root.id, at=make.at, **more
    )
    make.session.flush()
    return token


def test_each_sign_in_is_another_cookie_of_which_only_the_hash_is_kept(make: Factory) -> None:
    cookies = {enter(make) for _ in range(20)}
    assert len(cookies) == 20
    hashes = set(make.session.scalars(select(ConsoleSession.cookie_hash)))
    assert hashes == set(map(hash_token, cookies))


def test_a_session_ends_after_its_lifetime_however_much_it_is_used(make: Factory) -> None:
    cookie = enter(make)
    kept = signed_in(make.session, cookie, at=make.at).kept
    for hour in range(12):
        moment = timedelta(hours=hour, minutes=59)
        assert is_in(make, cookie, moment)
        note_session(make.session, kept.id, at=make.at + moment)
        make.session.refresh(kept)
    assert not is_in(make, cookie, LIFETIME)


def test_a_session_that_is_not_used_ends_sooner(make: Factory) -> None:
    cookie = enter(make)
    assert is_in(make, cookie, IDLE - timedelta(seconds=1))
    assert not is_in(make, cookie, IDLE)


def test_use_is_noted_now_and_then(make: Factory) -> None:
    kept = signed_in(make.session, enter(make), at=make.at).kept
    assert not is_session_unnoted(kept, at=make.at + NOTED_EVERY - timedelta(seconds=1))
    assert is_session_unnoted(kept, at=make.at + NOTED_EVERY)


def test_a_session_ends_with_the_token_that_opened_it(make: Factory) -> None:
    token = token_of(make, expires_at=make.at + timedelta(minutes=5))
    cookie = enter(make, token=token)
    assert signed_in(make.session, cookie, at=make.at).token is token
    assert is_in(make, cookie, timedelta(minutes=4))
    assert not is_in(make, cookie, timedelta(minutes=5))
    revoke_token(make.session, token, actor_id=make.root.id, at=make.at)
    assert not is_in(make, cookie)


def test_a_session_of_somebody_disabled_is_over(make: Factory) -> None:
    cookie = enter(make)
    disable(make.session, make.engineer, actor_id=make.root.id, at=make.at)
    assert not is_in(make, cookie)


def test_signing_out_ends_one_session_and_everywhere_ends_all(make: Factory) -> None:
    here, there, elsewhere = enter(make), enter(make), enter(make)
    other = sign_in(make.session, make.approver, by="token", at=make.at)
    assert sign_out(make.session, here, at=make.at) == make.engineer.id
    assert sign_out(make.session, here, at=make.at) is None
    make.session.flush()
    assert [is_in(make, cookie) for cookie in (here, there)] == [False, True]
    spared = signed_in(make.session, elsewhere, at=make.at).kept.id
    act: dict[str, Any] = {"actor_id": make.engineer.id, "at": make.at}
    end_sessions(make.session, make.engineer.id, keep=spared, **act)
    assert [is_in(make, cookie) for cookie in (there, elsewhere)] == [False, True]
    end_sessions(make.session, make.engineer.id, **act)
    assert not is_in(make, elsewhere)
    assert signed_in(make.session, other, at=make.at).principal is make.approver
    make.session.flush()
    actions = list(make.session.scalars(select(AuditEvent.action)))
    assert actions.count("console.sessions-ended") == 2
    assert actions.count("console.signed-out") == 1


def test_sessions_that_are_over_are_forgotten(make: Factory) -> None:
    enter(make)
    sign_in(make.session, make.approver, by="password", at=make.at + LIFETIME)
    assert make.session.scalar(select(func.count()).select_from(ConsoleSession)) == 1


def request(
    path: str = "/console", *, method: str = "POST", scheme: str = "https", **headers: str
) -> Request:
    """A request to `console.test` with these headers."""
    given = {"host": "console.test"} | headers
    return Request(
        {
            "type": "http",
            "method": method,
            "scheme": scheme,
            "path": path,
            "query_string": b"",
            "server": ("console.test", 443),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
    )


def test_on_https_the_cookie_is_bound_to_this_very_host() -> None:
    rules = cookie_rules(request())
    assert cookie_name(request()) == "__Host-bailiwick_session"
    assert (rules["path"], rules["secure"], rules["httponly"]) == ("/", True, True)
    assert rules["samesite"] == "strict"
    plain = request(scheme="http")
    assert (cookie_name(plain), cookie_rules(plain)["path"]) == ("bailiwick_session", "/console")


@pytest.mark.parametrize(
    ("path", "read"),
    [("/console", True), ("/console/jobs", True), ("/consoles", False), ("/api/v1/me", False)],
)
def test_the_cookie_is_for_the_consoles_pages_alone(path: str, read: bool) -> None:  # noqa: FBT001 - a table
    found = cookie_of(request(path, cookie="__Host-bailiwick_session=secret"))
    assert found == ("secret" if read else None)
    assert cookie_of(request(path, cookie="bailiwick_session=secret")) is None


@pytest.mark.parametrize("origin", ["https://evil.test", "http://console.test", "null", ""])
def test_changes_come_from_our_own_pages(origin: str) -> None:
    with pytest.raises(Denied):
        require_own_origin(request(origin=origin))
    with pytest.raises(Denied):
        require_own_origin(request())
    require_own_origin(request(origin="https://console.test"))
    require_own_origin(request(method="GET", origin=origin))


def test_a_browser_comes_back_once_with_what_it_took_and_what_it_kept(make: Factory) -> None:
    gone = depart(make.session, next_path="/console/jobs", at=make.at)
    row = make.session.scalars(select(PendingSignIn)).one()
    assert not {gone.state, gone.cookie} & {row.state_hash, row.nonce, row.code_verifier}
    other = depart(make.session, next_path="/console", at=make.at)
    for state, cookie in ((gone.state, ""), (gone.state, other.cookie), (other.state, gone.cookie)):
        with pytest.raises(Unauthenticated):
            come_back(make.session, state, cookie, at=make.at)
    kept = come_back(make.session, gone.state, gone.cookie, at=make.at)
    assert (kept.nonce, kept.code_verifier) == (gone.nonce, gone.code_verifier)
    assert kept.next_path == "/console/jobs"
    with pytest.raises(Unauthenticated):
        come_back(make.session, gone.state, gone.cookie, at=make.at)


def test_a_browser_that_takes_too_long_begins_anew(make: Factory) -> None:
    gone = depart(make.session, next_path="/console", at=make.at)
    late = make.at + PENDING_LIFETIME
    with pytest.raises(Unauthenticated):
        come_back(make.session, gone.state, gone.cookie, at=late)
    depart(make.session, next_path="/console", at=late)
    assert make.session.scalar(select(func.count()).select_from(PendingSignIn)) == 1
