"""Local passwords: how they are kept, and what an attempt costs."""

from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from sqlalchemy import select

from bailiwick.access import (
    Hasher,
    Password,
    check_password,
    disable,
    keep_password,
    keep_rehashed,
    stored_password,
)
from bailiwick.access.passwords import MAX_LENGTH, MIN_LENGTH
from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid
from factories import Factory
from support.hashing import CHEAP, cheap_hasher

PHRASE = "correct horse battery"


class Counting(PasswordHasher):
    """Counts the verifications, which are what takes time."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:  # noqa: A002 - the library's name
        """As ever, counted."""
        self.verified += 1
        return super().verify(hash, password)


def test_as_shipped_it_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    argon2 = Hasher()._argon2
    assert argon2.type is Type.ID
    assert (argon2.time_cost, argon2.memory_cost) == (3, 64 * 1024)


def test_a_password_fits_its_own_hash_only() -> None:
    hasher = cheap_hasher()
    stored = hasher.hash(PHRASE)
    assert hasher.fits(PHRASE, stored)
    assert not hasher.fits(PHRASE + " ", stored)
    assert not hasher.fits("", stored)
    assert hasher.hash(PHRASE) != stored


def test_what_looks_alike_is_alike() -> None:
    hasher = cheap_hasher()
    assert hasher.fits("café au lait 12", hasher.hash("cafe\u0301 au lait \uff11\uff12"))


def test_an_unknown_name_costs_the_same_verification() -> None:
    counting = Counting(**CHEAP)
    hasher = Hasher(counting)
    stored = hasher.hash(PHRASE)
    for hashed in (stored, None):
        before = counting.verified
        assert not hasher.fits("wrong wrong wrong", hashed)
        assert counting.verified == before + 1
    assert not hasher.fits("", None)  # not even the password of nobody


def test_a_hash_of_other_parameters_is_outdated() -> None:
    stored = cheap_hasher().hash(PHRASE)
    stronger = Hasher(PasswordHasher(**CHEAP | {"time_cost": 2}))
    assert stronger.is_outdated(stored)
    assert not cheap_hasher().is_outdated(stored)
    assert stronger.fits(PHRASE, stored)


@pytest.mark.parametrize("password", ["", "short", "x" * (MIN_LENGTH - 1), "x" * (MAX_LENGTH + 1)])
def test_length_is_the_rule(password: str) -> None:
    with pytest.raises(Invalid, match="12 to 256 characters"):
        check_password(password)


@pytest.mark.parametrize("password", ["x" * MIN_LENGTH, "only words in a row", "ünïcödé " * 4])
def test_nothing_else_is(password: str) -> None:
    check_password(password)


def test_a_password_is_found_by_name_until_its_owner_is_disabled(make: Factory) -> None:
    keep(make, "first hash")
    found = stored_password(make.session, " Engineer ")
    assert found == (make.engineer, "first hash")
    assert stored_password(make.session, "approver") is None
    disable(make.session, make.engineer, actor_id=make.root.id, at=make.at)
    assert stored_password(make.session, "engineer") is None


def test_changing_it_leaves_an_event_and_no_trace_of_it(make: Factory) -> None:
    keep(make, "first hash")
    keep(make, "second hash", days=1)
    row = make.session.scalars(select(Password)).one()
    assert (row.password_hash, row.changed_at) == ("second hash", make.at + timedelta(days=1))
    make.session.flush()
    actions = list(make.session.scalars(select(AuditEvent.action)))
    assert actions.count("password.changed") == 2
    bodies = b"".join(make.session.scalars(select(AuditEvent.body)))
    assert b"first hash" not in bodies
    assert b"second hash" not in bodies


def test_a_rehash_does_not_overwrite_a_change(make: Factory) -> None:
    keep(make, "changed meanwhile")
    keep_rehashed(make.session, make.engineer, old="first", new="first, stronger")
    assert stored_password(make.session, "engineer") == (make.engineer, "changed meanwhile")
    keep_rehashed(make.session, make.engineer, old="changed meanwhile", new="stronger")
    assert stored_password(make.session, "engineer") == (make.engineer, "stronger")


def test_services_have_none(make: Factory) -> None:
    robot = make.principal("robot", "service", kind="service")
    with pytest.raises(Conflict, match="API token"):
        keep_password(make.session, robot, "x", actor_id=make.root.id, at=make.at)


def keep(make: Factory, hashed: str, *, days: int = 0) -> None:
    at = make.at + timedelta(days=days)
    keep_password(make.session, make.engineer, hashed, actor_id=make.root.id, at=at)
    make.session.flush()
