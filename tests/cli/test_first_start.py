"""The first administrator's token keeps to what the installation allows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bailiwick.access import Token, authenticate
from bailiwick.cli.first_start import prepare
from bailiwick.lifecycle import Platform


@pytest.mark.parametrize(("max_days", "lasts"), [(None, None), (7, timedelta(days=7))])
def test_the_first_token_lives_as_long_as_is_allowed(
    platform: Platform, max_days: int | None, lasts: timedelta | None
) -> None:
    settings = platform.settings.model_copy(update={"token_max_days": max_days})
    secret = prepare(replace(platform, settings=settings))
    assert secret is not None
    now = platform.clock.now()
    with platform.database.reading() as session:
        admin, _ = authenticate(session, secret, at=now)
        assert admin.name == "admin"
        end = session.scalars(select(Token.expires_at)).one()
    assert end == (None if lasts is None else now + lasts)
    assert prepare(platform) is None
