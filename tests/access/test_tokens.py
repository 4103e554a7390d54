from datetime import timedelta

import pytest
from sqlalchemy import select, text

from bailiwick.access import (
    Principal,
    Token,
    authenticate,
    disable,
    hash_token,
    issue_token,
    note_use,
    revoke_token,
)
from bailiwick.access.tokens import LAST_USED_PRECISION, PREFIX, is_use_unnoted
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Invalid, Unauthenticated
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
