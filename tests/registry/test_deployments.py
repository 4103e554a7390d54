from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.audit import AuditEvent
from bailiwick.core.errors import Conflict, Invalid, NotFound
from bailiwick.lifecycle.promotion import roll_back
from bailiwick.policy import DeniedByPolicy, Label
from bailiwick.registry import (
    CHAMPION,
    Deployment,
    ModelVersion,
    create_deployment,
    create_environment,
    find_environment,
    followers,
    pointed_at,
    previously_pointed_at,
    served_version,
    served_versions,
    set_deployment_state,
)
from factories import NAMESPACE, PURPOSE, Factory


def champions(make: Factory, count: int) -> list[ModelVersion]:
    model = make.model()
    data = make.dataset_version(make.dataset())
    return [make.champion(make.model_version(model, data)) for _ in range(count)]


def deploy(make: Factory, version: ModelVersion, **changes: Any) -> Deployment:
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "name": "cards",
        "purpose": PURPOSE,
        "keeps_text": False,
        "pinned": None,
    } | changes
    environment = options.pop("environment", None) or make.environment()
    return create_deployment(
        make.session,
        version.model,
        environment,
        rules=make.platform.rules,
        actor=make.actor(make.engineer),
        at=make.at,
        **options,
    )


def test_a_deployment_follows_the_champion(make: Factory) -> None:
    (first,) = champions(make, 1)
    deployment = deploy(make, first)
    assert served_version(make.session, deployment) is first
    second = make.champion(
        make.model_version(first.model, make.dataset_version(make.dataset("more"), seed=1))
    )
    assert served_version(make.session, deployment) is second
    assert followers(make.session, first.model_id) == [deployment]


def test_a_pinned_deployment_stays(make: Factory) -> None:
    first, second = champions(make, 2)
    pinned = deploy(make, second, pinned=first)
    assert served_version(make.session, pinned) is first
    assert followers(make.session, first.model_id) == []


def test_what_many_deployments_serve_is_what_each_serves(make: Factory) -> None:
    first, second = champions(make, 2)
    place = make.environment()
    both = [
        deploy(make, second, environment=place, name="a"),
        deploy(make, second, environment=place, name="b", pinned=first),
    ]
    one_by_one = {d.id: served_version(make.session, d) for d in both}
    assert served_versions(make.session, both) == one_by_one
    assert served_versions(make.session, []) == {}


def test_a_model_without_a_champion_cannot_be_deployed(make: Factory) -> None:
    model = make.model()
    version = make.model_version(model, make.dataset_version(make.dataset()))
    with pytest.raises(Conflict, match="no champion yet"):
        deploy(make, version)


def test_a_version_that_was_never_champion_cannot_be_pinned_past_the_gates(make: Factory) -> None:
    (first,) = champions(make, 1)
    candidate = make.model_version(first.model, make.dataset_version(make.dataset("more"), seed=1))
    with pytest.raises(Conflict, match="champion"):
        deploy(make, first, pinned=candidate)


def test_a_version_of_another_model_cannot_be_pinned(make: Factory) -> None:
    (first,) = champions(make, 1)
    other = make.champion(
        make.model_version(make.model("other"), make.dataset_version(make.dataset("m"), seed=1))
    )
    with pytest.raises(Conflict, match="champion"):
        deploy(make, first, pinned=other)


@pytest.mark.parametrize(
    ("environment", "policy"),
    [
        ({"clearance_level": "internal"}, "no-deploy-up"),
        ({"clearance_compartments": ["legal"]}, "no-deploy-up"),
        ({"zone": "us"}, "residency"),
        ({"zone": "uk"}, "residency"),
    ],
)
def test_an_environment_that_is_not_cleared_is_refused_by_the_policy_that_says_so(
    make: Factory, environment: dict[str, Any], policy: str
) -> None:
    (version,) = champions(make, 1)
    options: dict[str, Any] = {
        "zone": "eu",
        "clearance_level": "restricted",
        "clearance_compartments": ["finance"],
        "keeps_text": False,
    }
    place = create_environment(
        make.session,
        "elsewhere",
        rules=make.platform.rules,
        actor_id=make.root.id,
        at=make.at,
        **(options | environment),
    )
    with pytest.raises(DeniedByPolicy) as refused:
        deploy(make, version, environment=place)
    assert refused.value.details["policies"] == [policy]


def test_a_purpose_that_the_label_does_not_allow_is_refused(make: Factory) -> None:
    (version,) = champions(make, 1)
    with pytest.raises(DeniedByPolicy) as refused:
        deploy(make, version, purpose="human-resources")
    assert refused.value.details["policies"] == ["purpose"]


def test_text_is_kept_only_where_the_environment_keeps_it(make: Factory) -> None:
    (version,) = champions(make, 1)
    with pytest.raises(DeniedByPolicy) as refused:
        deploy(make, version, keeps_text=True)
    assert refused.value.details["policies"] == ["text-stays-out"]
    place = make.environment("archive", keeps_text=True)
    assert deploy(make, version, environment=place, keeps_text=True).keeps_text


def test_stopping_and_starting_are_recorded_once_each(make: Factory) -> None:
    deployment = make.running()
    for state in ("stopped", "stopped", "active"):
        set_deployment_state(make.session, deployment, state, actor_id=make.engineer.id, at=make.at)
    made = make.session.scalars(
        select(AuditEvent.action)
        .where(AuditEvent.action.in_(["deployment.stopped", "deployment.active"]))
        .order_by(AuditEvent.id)
    ).all()
    assert made == ["deployment.stopped", "deployment.active"]
    with pytest.raises(Invalid, match="paused"):
        set_deployment_state(
            make.session, deployment, "paused", actor_id=make.engineer.id, at=make.at
        )


def test_names_of_deployments_and_environments_are_taken_once(make: Factory) -> None:
    deployment = make.running()
    version = served_version(make.session, deployment)
    with pytest.raises(Conflict, match="already"):
        deploy(make, version, environment=deployment.environment)
    with pytest.raises(Conflict, match="already"):
        make.environment()
    with pytest.raises(NotFound, match="nowhere"):
        find_environment(make.session, "nowhere")


def test_an_environment_speaks_the_words_of_the_scheme(make: Factory) -> None:
    with pytest.raises(Invalid, match="mars"):
        create_environment(
            make.session,
            "new",
            zone="mars",
            clearance_level="internal",
            clearance_compartments=[],
            keeps_text=False,
            rules=make.platform.rules,
            actor_id=make.root.id,
            at=make.at,
        )


def test_every_move_of_the_champion_is_kept_with_old_and_new(make: Factory) -> None:
    first, second, third = champions(make, 3)
    assert pointed_at(make.session, first.model_id, CHAMPION) is third
    assert previously_pointed_at(make.session, first.model_id, CHAMPION) is second
    assert previously_pointed_at(make.session, make.model("bare").id, CHAMPION) is None


def test_going_back_twice_never_goes_forward(make: Factory) -> None:
    first, second, _ = champions(make, 3)

    def back() -> ModelVersion:
        return roll_back(
            make.session,
            first.model_id,
            reason="worse",
            rules=make.platform.rules,
            actor=make.actor(make.engineer),
            at=make.at,
        )

    assert [back(), back()] == [second, first]
    with pytest.raises(Conflict, match="nothing to go back to"):
        back()
    assert pointed_at(make.session, first.model_id, CHAMPION) is first


def test_the_label_of_a_deployment_follows_the_versions_upwards(make: Factory) -> None:
    deployment = make.running()
    restricted = Label(
        "restricted", frozenset({"finance"}), frozenset({"eu"}), frozenset({"accounting"})
    )
    model = make.model("higher", label=restricted)
    data = make.dataset_version(make.dataset("higher", label=restricted), seed=3)
    version = make.champion(make.model_version(model, data))
    place = make.environment("vault", clearance="restricted")
    higher = make.deployment(model, place, name="vaulted")
    assert higher.label_id == version.label_id
    assert higher.label_id != deployment.label_id
