"""Route x role x label: every operation of the OpenAPI document, asked by everybody."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from bailiwick.access import Token
from bailiwick.audit import sequence
from bailiwick.db import make_engine
from bailiwick.lifecycle import Platform
from bailiwick.policy import Label
from factories import CONFIDENTIAL
from support.api_everything import elsewhere, furnish, reach
from support.api_matrix import MATRIX, NOBODY, ROLES, Asker, Outcome, Undone, expected, outcome
from support.api_routes import OPEN, Operation, operations
from support.api_world import SECRET, World

PUBLIC = replace(CONFIDENTIAL, level="public", compartments=frozenset())
ASKERS = [
    *(Asker(f"{role}-here", role, here=True) for role in ROLES),
    *(Asker(f"{role}-elsewhere", role, here=False) for role in ROLES),
    Asker(NOBODY, NOBODY, here=False),
]


def governed(world: World) -> list[Operation]:
    document = world.get("//openapi.json", by=None).json()
    return [operation for operation in operations(document) if operation.path not in OPEN]


@pytest.mark.parametrize(
    ("label", "readable"),
    [
        pytest.param(PUBLIC, True, id="public", marks=pytest.mark.any_database),
        pytest.param(CONFIDENTIAL, True, id="at the clearance"),
        pytest.param(SECRET, False, id="above the clearance", marks=pytest.mark.any_database),
    ],
)
def test_every_route_answers_every_role_as_the_table_says(
    world: World, platform: Platform, label: Label, *, readable: bool
) -> None:
    places = furnish(world, label, champions=2)
    with platform.database.transaction() as session:
        sequence(session, platform.signer(), at=platform.clock.now())
        places["token_id"] = str(session.scalars(select(Token.id)).first())
    askers = [asker for asker in ASKERS if asker.here or label == CONFIDENTIAL]
    for asker in askers:
        roles = () if asker.role == NOBODY else (asker.role,)
        where = "*" if asker.here else "people"
        world.join(asker.name, *roles, clearance="confidential", namespace=where)
    places["principal"] = (
        "service-here"  # whoever asks may be no less cleared than those they ask for
    )
    undone = Undone(make_engine(platform.settings.resolved_database_url))
    world.app.state.platform = replace(platform, database=undone)
    nowhere = elsewhere(places)
    wrong, told = [], Counter[str]()
    for operation in governed(world):
        assert operation.action in MATRIX, f"{operation.path} names an action without a rule"
        for asker in askers:
            answer = reach(world, operation, places, by=asker.name)
            got, wanted = outcome(answer), expected(operation, asker, readable=readable)
            told[got] += 1
            if got != wanted:
                wrong.append((operation.method, operation.path, asker.name, got, wanted))
            elif got == Outcome.ABSENT and "{" in operation.path:
                absent = reach(world, operation, nowhere, by=asker.name)
                assert (absent.status_code, absent.content) == (404, answer.content)
    undone.close()
    assert wrong == [], "\n".join(map(str, wrong))
    assert told[Outcome.ANSWERED] > 100
    assert told[Outcome.ABSENT] > 20
