"""What the tests know about the installation that `telling` makes."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.access import Principal, issue_token
from bailiwick.core.settings import Settings
from bailiwick.lifecycle import Platform
from factories import Factory
from support.databases import Databases

START = datetime(2023, 1, 2, 6, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>"
REPORT = b"<!doctype html><title>Drift</title><script>document.title = 1</script>"
HOSTILE_DIGEST = "f" * 64
SECRET = "WIDGETS OF HARROWMERE 4417"


@dataclass(frozen=True)
class Story:
    """What a test needs to find its way in the installation."""

    platform: Platform
    admin_token: str
    governed: UUID
    frozen: UUID
    alert: UUID
    check: UUID
    running_job: UUID
    open_approval: UUID

    def token(self, name: str, *roles: str, **given: Any) -> str:
        """The token of somebody new."""
        with self.platform.database.transaction() as session:
            made = Factory(session, self.platform)
            root = session.scalars(select(Principal).where(Principal.name == "root")).one()
            made.__dict__["root"] = root
            person = made.principal(name, *roles, **given)
            return issue_token(session, person, name, actor_id=root.id, at=made.at)[1]


@dataclass(frozen=True)
class Told:
    """An installation in which the story happened; nobody is connected to it any more."""

    settings: Settings
    story: Story
    until: datetime

    def copied(self, databases: Databases, home: Path) -> Settings:
        """The settings of a copy, which one may change."""
        shutil.copytree(self.settings.home, home)
        address = databases.copy_of(self.settings.resolved_database_url)
        return Settings(home=home, database_url=address, threads=1)


def sign_in(client: TestClient, token: str) -> None:
    """Sign in as a browser does."""
    answer = client.post("/console/sign-in", data={"token": token})
    assert answer.status_code == 303, answer.text
