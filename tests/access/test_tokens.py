import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from bailiwick.access import (
    SCOPES,
    Principal,
    Token,
    WiderToken,
    authenticate,
    default_expiry,
    disable,
    grant_role,
    hash_token,
    issue_token,
    note_use,
    revoke_token,
)
from bailiwick.access.tokens import LAST_USED_PRECISION, PREFIX, is_use_unnoted
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid, Unauthenticated
from bailiwick.policy import actor_of
from factories import Factory


def issue(make: Factory, principal: Principal, **more: timedelta) -> tuple[Token, str]:
    lasts = more.get("lasts")
    made = issue_token(
        make.session,
        principal,
        "test",
        actor_id=make.root.id,
        at=make.at,
        expires_at=make.at + lasts if lasts else None,
    )
    make.session.flush()
    return made


def test_a_token_proves_who_holds_it(make: Factory) -> None:
    token, secret = issue(make, make.engineer)
    assert secret.startswith(PREFIX)
    assert authenticate(make.session, secret, at=make.at) == (make.engineer, token)


def test_the_secret_is_kept_nowhere(make: Factory) -> None:
    _, secret = issue(make, make.engineer)
    for table in ("tokens", "audit_events"):
        rows = make.session.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608 - constants
        assert secret not in str(rows)
        assert secret.removeprefix(PREFIX) not in str(rows)
    assert make.session.scalars(select(Token.token_hash)).one() == hash_token(secret)


def test_no_two_tokens_are_alike(make: Factory) -> None:
    secrets = {issue(make, make.engineer)[1] for _ in range(50)}
    assert len(secrets) == 50
    assert min(map(len, secrets)) >= len(PREFIX) + 43  # 256 bits in base64


def test_a_token_ends_at_its_expiry_to_the_moment(make: Factory) -> None:
    _, secret = issue(make, make.engineer, lasts=timedelta(hours=1))
    end = make.at + timedelta(hours=1)
    authenticate(make.session, secret, at=end - timedelta(microseconds=1))
    with pytest.raises(Unauthenticated):
        authenticate(make.session, secret, at=end)


def test_a_token_that_would_be_expired_already_is_not_made(make: Factory) -> None:
    for lasts in (timedelta(seconds=-1), timedelta(microseconds=-1)):
        with pytest.raises(Invalid, match="expired already"):
            issue(make, make.engineer, lasts=lasts)


def test_every_way_of_being_wrong_is_the_same_sentence(make: Factory) -> None:
    revoked, first = issue(make, make.engineer)
    revoke_token(make.session, revoked, actor_id=make.root.id, at=make.at)
    _, second = issue(make, make.approver)
    disable(make.session, make.approver, actor_id=make.root.id, at=make.at)
    said = set()
    for secret in (first, second, second[:-1], "", "bwk_", "ÿ" * 100, hash_token(second)):
        with pytest.raises(Unauthenticated) as error:
            authenticate(make.session, secret, at=make.at)
        said.add(error.value.message)
    assert len(said) == 1


def test_revoking_happens_once_and_is_recorded(make: Factory) -> None:
    token, _ = issue(make, make.engineer)
    for later in range(2):
        at = make.at + timedelta(hours=later)
        revoke_token(make.session, token, actor_id=make.engineer.id, at=at)
    assert token.revoked_at == make.at
    make.session.flush()
    actions = list(make.session.scalars(select(AuditEvent.action)))
    assert (actions.count("token.issued"), actions.count("token.revoked")) == (1, 1)


def test_use_is_noted_now_and_then(make: Factory) -> None:
    token, _ = issue(make, make.engineer)
    assert is_use_unnoted(token, at=make.at)
    note_use(make.session, token.id, at=make.at)
    make.session.refresh(token)
    assert token.last_used_at == make.at
    soon = make.at + LAST_USED_PRECISION - timedelta(seconds=1)
    assert not is_use_unnoted(token, at=soon)
    assert is_use_unnoted(token, at=make.at + LAST_USED_PRECISION)


def test_a_token_is_made_for_as_little_as_one_likes(make: Factory) -> None:
    by: dict[str, Any] = {"actor_id": make.root.id, "at": make.at}
    token, secret = issue_token(
        make.session,
        make.engineer,
        "narrow",
        scopes=["read", "build", "read"],
        namespaces={"finance"},
        **by,
    )
    make.session.flush()
    assert (token.scopes, token.namespaces) == (["build", "read"], ["finance"])
    assert token.created_by == make.root.id
    holder, proof = authenticate(make.session, secret, at=make.at)
    grant_role(make.session, holder, "auditor", namespace="people", **by)
    make.session.flush()
    actor = actor_of(make.session, holder, proof)
    assert actor.scopes == frozenset({"build", "read"})
    assert actor.roles == {"finance": frozenset({"engineer"})}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scopes": ["fly"]}, "the scopes are read, content"),
        ({"scopes": []}, "for nothing"),
        ({"namespaces": []}, "for nothing"),
        ({"namespaces": ["*"]}, "namespace"),
        ({"max_days": 30}, "30 days at most"),
        ({"max_days": 30, "lasts": 31}, "30 days at most"),
    ],
)
def test_words_and_lives_that_cannot_be_are_refused(
    make: Factory, given: dict[str, Any], said: str
) -> None:
    lasts = given.pop("lasts", None)
    expires_at = None if lasts is None else make.at + timedelta(days=lasts)
    with pytest.raises(Invalid, match=said):
        issue_token(
            make.session,
            make.engineer,
            "test",
            actor_id=make.root.id,
            at=make.at,
            expires_at=expires_at,
            **given,
        )


def test_a_token_lives_as_long_as_is_allowed_to_the_moment(make: Factory) -> None:
    assert default_expiry(make.at, None) == make.at + timedelta(days=90)
    assert default_expiry(make.at, 365) == make.at + timedelta(days=90)
    assert default_expiry(make.at, 7) == make.at + timedelta(days=7)
    token, _ = issue_token(
        make.session,
        make.engineer,
        "test",
        actor_id=make.root.id,
        at=make.at,
        expires_at=default_expiry(make.at, 7),
        max_days=7,
    )
    assert token.expires_at == make.at + timedelta(days=7)


NARROW = {"scopes": ["administer", "read"], "namespaces": ["finance", "people"], "days": 2}


@pytest.mark.parametrize(
    "asked",
    [
        NARROW | {"scopes": None},
        NARROW | {"scopes": ["read", "content"]},
        NARROW | {"namespaces": None},
        NARROW | {"namespaces": ["finance", "legal"]},
        NARROW | {"days": 3},
        NARROW | {"days": None},
    ],
)
def test_a_narrow_token_makes_none_that_is_wider_or_outlives_it(
    make: Factory, asked: dict[str, Any]
) -> None:
    maker = make_token(make, NARROW)
    with pytest.raises(WiderToken, match="less than this"):
        make_token(make, asked, made_with=maker)
    assert make.session.scalars(select(Token)).all() == [maker]


def test_it_makes_narrower_ones_and_a_token_without_limits_makes_any(make: Factory) -> None:
    maker = make_token(make, NARROW)
    less = {"scopes": ["read"], "namespaces": ["people"], "days": 1}
    assert make_token(make, less, made_with=maker).scopes == ["read"]
    assert make_token(make, NARROW, made_with=maker).namespaces == ["finance", "people"]
    free = make_token(make, {"scopes": None, "namespaces": None, "days": 1})
    assert make_token(make, NARROW | {"days": None}, made_with=free).expires_at is None


def make_token(make: Factory, asked: dict[str, Any], *, made_with: Token | None = None) -> Token:
    days = asked["days"]
    token, _ = issue_token(
        make.session,
        make.engineer,
        "test",
        actor_id=make.engineer.id,
        at=make.at,
        expires_at=None if days is None else make.at + timedelta(days=days),
        scopes=asked["scopes"],
        namespaces=asked["namespaces"],
        made_with=made_with,
    )
    make.session.flush()
    return token


def test_scopes_are_exactly_those_that_the_policy_knows(make: Factory) -> None:
    policy = make.platform.rules.engine.explain("token-scope").text
    named = re.findall(r"principal\.scopes\)?\.contains\(\"(\w+)\"\)", policy)
    assert named == list(SCOPES)


def test_a_token_made_for_somebody_else_names_all_who_could_have_made_it(make: Factory) -> None:
    def made(owner: Principal, by: Principal, with_token: Token | None = None) -> Token:
        token, _ = issue_token(
            make.session, owner, "test", actor_id=by.id, at=make.at, made_with=with_token
        )
        return token

    root, first, second = make.root, make.engineer, make.approver
    own = made(root, root)
    assert own.vouched_by == []
    given = made(first, root, own)
    assert given.vouched_by == [str(root.id)]
    assert made(first, first, given).vouched_by == [str(root.id)], "it cannot be washed away"
    passed_on = made(second, first, given)
    assert passed_on.vouched_by == sorted([str(root.id), str(first.id)])
    assert made(root, second, passed_on).vouched_by == sorted([str(first.id), str(second.id)])
    assert made(first, first).vouched_by == [], "who signed in otherwise"
    actor = actor_of(make.session, second, passed_on)
    assert actor.vouched_by == {str(root.id), str(first.id)}
    assert actor_of(make.session, second).vouched_by == frozenset()
