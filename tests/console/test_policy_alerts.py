"""The page of an alert that the policies raised: what changed, which policies, when it stops."""

from dataclasses import replace

from fastapi.testclient import TestClient
from sqlalchemy import select

from bailiwick.lifecycle.relabelling import relabel_dataset
from bailiwick.lineage import Dataset
from bailiwick.monitoring import Alert
from bailiwick.policy import load_actor, load_label
from bailiwick.registry import Deployment
from console.story import Story


def test_an_alert_of_the_policies_has_a_page(admin: TestClient, story: Story) -> None:
    platform = story.platform
    with platform.database.transaction() as session:
        dataset = session.scalars(select(Dataset).where(Dataset.name == "purchases")).one()
        owner = session.scalars(select(Deployment.created_by)).first()
        assert owner is not None
        act = load_actor(session, owner)
        steward = replace(act, roles={"*": frozenset({"steward"})})
        relabel_dataset(
            session,
            dataset,
            replace(load_label(session, dataset.label_id), level="restricted"),
            reason="more is known",
            rules=platform.rules,
            actor=steward,
            at=platform.clock.now(),
        )
        alerts = session.scalars(select(Alert.id).where(Alert.source == "policy")).all()
    assert alerts
    page = admin.get(f"/console/alerts/{alerts[0]}")
    assert page.status_code == 200
    assert "Out of policy" in page.text
    assert "no-deploy-up" in page.text
    assert "above the environment&#39;s clearance" in page.text
    assert "unless the policies allow it again" in page.text
    assert "Statistics of the newest check" not in page.text
    listed = admin.get("/console/alerts").text
    assert str(alerts[0]) in listed
    assert admin.get("/console").status_code == 200
