"""Every step asks which rules are in force; what has begun ends under those it began with."""

from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from bailiwick.access import Principal, create_principal
from bailiwick.core.errors import Invalid, Unavailable
from bailiwick.lifecycle import JobState, Platform, open_platform, run_next, training_jobs
from bailiwick.lifecycle.rulesets import Ruleset, Rulesets
from bailiwick.lifecycle.tables import Job
from bailiwick.lifecycle.training_plans import DEFAULT_SELECTION, TrainingOrder, order_training
from bailiwick.policy import BundleActivation, PolicyBundle, read_bundle
from bailiwick.training import SmallClassifierRecipe
from factories import PURPOSE, Factory
from support.lifecycle_children import FakeTraining
from support.rules_in_force import forbidding, put_in_force


@pytest.fixture
def somebody(platform: Platform) -> Principal:
    """Who activates."""
    with platform.database.transaction() as session:
        return create_principal(
            session,
            "somebody",
            kind="person",
            clearance_level="public",
            actor_id=None,
            at=platform.clock.now(),
        )


def in_force(platform: Platform) -> str:
    with platform.database.reading() as session:
        return platform.in_force(session).rules.digest


@pytest.mark.usefixtures("somebody")
def test_two_processes_follow_each_activation_at_their_next_step(platform: Platform) -> None:
    other = open_platform(platform.settings, platform.clock)
    shipped = platform.rules.digest
    assert in_force(platform) == in_force(other) == shipped
    first = put_in_force(platform, forbidding(platform, "model:create"))
    assert in_force(platform) == in_force(other) == first
    second = put_in_force(other, forbidding(other, "model:update"))
    assert in_force(platform) == in_force(other) == second
    assert platform.rules.digest == shipped  # what it began with
    other.close()


@pytest.mark.usefixtures("somebody")
def test_looking_costs_one_query_and_loading_happens_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force(platform, forbidding(platform, "model:create"))
    loaded: list[object] = []
    really = Ruleset.of

    def of(files: Any) -> Ruleset:
        loaded.append(files)
        return really(files)

    monkeypatch.setattr(Ruleset, "of", of)
    with platform.database.reading() as session:
        first = platform.in_force(session)
        statements: list[str] = []
        engine = platform.database.engine
        event.listen(
            engine, "before_cursor_execute", lambda _c, _k, text, *_: statements.append(text)
        )
        again = platform.in_force(session)
    assert again.rules is first.rules
    assert (len(loaded), len(statements)) == (1, 1)
    assert "LIMIT" in statements[0]
    assert first.rules.tallies is platform.rules.tallies  # counted in one place


@pytest.mark.usefixtures("somebody")
def test_few_bundles_are_kept_loaded(platform: Platform) -> None:
    for action in sorted(platform.rules.engine.actions)[:10]:
        digest = put_in_force(platform, forbidding(platform, action))
        assert in_force(platform) == digest
    kept = platform.rulesets._loaded
    assert len(kept) == 8
    assert digest in kept


def test_a_bundle_that_cannot_be_loaded_fails_closed(
    platform: Platform, somebody: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert somebody.name == "somebody"
    put_in_force(platform, forbidding(platform, "model:create"))

    def of(_: object) -> None:
        raise Invalid("roles.cedar does not fit.")

    monkeypatch.setattr(Ruleset, "of", of)
    with (
        platform.database.reading() as session,
        pytest.raises(Unavailable, match="cannot be loaded by this version"),
    ):
        platform.in_force(session)


def test_of_two_activations_at_once_the_database_refuses_one(
    platform: Platform, somebody: Principal
) -> None:
    put_in_force(platform, forbidding(platform, "model:create"))
    with platform.database.transaction() as session:
        bundle = session.query(PolicyBundle).one()
        second = BundleActivation(
            number=1,
            bundle_id=bundle.id,
            old_digest="0" * 64,
            new_digest=bundle.digest,
            reason="",
            actor_id=somebody.id,
            at=platform.clock.now(),
        )
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(second)


def test_a_training_ends_under_the_rules_of_its_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules that come into force while it trains decide whether its version is registered."""
    with platform.database.transaction() as session:
        make = Factory(session, platform)
        model, data = make.model(), make.dataset_version(make.dataset())
        order = TrainingOrder(
            model_id=model.id,
            dataset_version_ids=(data.id,),
            recipe=SmallClassifierRecipe(),
            selection=DEFAULT_SELECTION,
            purpose=PURPOSE,
            risk_tier="standard",
            seed=3,
            from_champion=False,
        )
        actor = make.actor(make.engineer)
        job = order_training(session, order, rules=platform.rules, actor=actor, at=make.at).id

    def meanwhile() -> None:
        put_in_force(platform, forbidding(platform, "version:register"))

    monkeypatch.setattr(training_jobs, "run_child", FakeTraining(meanwhile=[meanwhile]))
    assert run_next(platform, owner="worker")
    with platform.database.reading() as session:
        ended = session.get_one(Job, job)
    assert ended.state == JobState.FAILED
    assert "Closed: come back later." in str(ended.error)


def test_a_bundle_needs_its_gates(platform: Platform) -> None:
    files = dict(platform.rules.files)
    del files["gates.yaml"]
    with pytest.raises(Invalid, match=r"gates\.yaml"):
        Ruleset.of(files)


def test_what_is_shipped_is_the_folder(platform: Platform) -> None:
    folder = platform.settings.home / "policies"
    (folder / "tests").mkdir(parents=True)
    for name, content in platform.rules.files.items():
        (folder / name).write_bytes(content)
    assert Rulesets.load(folder).shipped.rules.digest == platform.rules.digest
    assert read_bundle(folder) == platform.rules.files


@pytest.mark.usefixtures("somebody")
def test_other_policies_know_of_single_sign_on_as_those_before_did(platform: Platform) -> None:
    told = {"oidc_issuer": "https://issuer.test", "oidc_client_id": "bailiwick"}
    settings = platform.settings.model_copy(update=told)
    with_provider = open_platform(settings, platform.clock)
    put_in_force(platform, forbidding(platform, "model:create"))
    for one, expected in ((platform, False), (with_provider, True)):
        with one.database.reading() as session:
            now = one.in_force(session).rules
        assert now.digest != one.rules.digest
        assert (one.rules.single_sign_on, now.single_sign_on) == (expected, expected)
    with_provider.close()
