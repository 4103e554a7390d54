"""Texts about a subject are destroyed over HTTP."""

from datetime import UTC, datetime

from bailiwick.monitoring import read_window
from bailiwick.registry import Deployment
from support.api_world import World

AT = datetime(2026, 1, 2, tzinfo=UTC)
ASKED = {"subject": "Ada", "reason": "she asked for it"}


def sent(world: World) -> tuple[Deployment, str]:
    """Two records with texts, and one that is rejected: a deployment, and its address."""
    deployment = world.running(keeps_text=True)
    path = f"/deployments/{deployment.id}"
    record = {"at": AT.isoformat(), "prediction": "Fuel", "text": "Zebra"}
    rows = [
        record | {"record_id": "hers", "subject": "Ada"},
        record | {"record_id": "his", "subject": "Bob"},
        record | {"record_id": "bad", "subject": "Ada", "confidence": 7},
    ]
    told = world.post(f"{path}/inferences", {"records": rows}).json()
    assert (told["new"], told["rejected_total"]) == (2, 1)
    return deployment, path


def test_a_steward_destroys_texts_and_the_evidence_stays(world: World) -> None:
    deployment, path = sent(world)
    answer = world.post(f"{path}/text-erasures", ASKED, by="steward")
    told = answer.json()
    assert (answer.status_code, told["keys"], told["records"]) == (201, 1, 1)
    assert told["rejected_records"] == 1
    assert world.get(f"{path}/text-erasures", by="auditor").json()["items"] == [told]
    (item,) = world.get(f"{path}/rejected-records").json()["items"]
    assert item["raw"] is None
    with world.platform.database.reading() as session:
        span = {"start": AT, "end": world.platform.clock.now(), "known_at": AT}
        rows = read_window(session, deployment.id, **span, vault=world.platform.texts)
    assert {row.record_id: row.text for row in rows} == {"hers": None, "his": "Zebra"}


def test_the_subject_is_told_nobody(world: World) -> None:
    _, path = sent(world)
    answer = world.post(f"{path}/text-erasures", ASKED, by="steward")
    everything = answer.text + world.get("/audit/events", by="auditor").text
    assert "Ada" not in everything


def test_who_builds_may_not_destroy(world: World) -> None:
    _, path = sent(world)
    assert world.post(f"{path}/text-erasures", ASKED, by="engineer").status_code == 403
    assert world.post(f"{path}/text-erasures", {"subject": "Ada"}, by="steward").status_code == 422


def test_a_lost_key_file_is_told_in_a_sentence_and_stores_nothing(world: World) -> None:
    _, path = sent(world)
    world.platform.texts.path.unlink()
    record = {"record_id": "next", "at": AT.isoformat(), "prediction": "Fuel"}
    refused = world.post(f"{path}/inferences", {"records": [record | {"text": "Zebra"}]})
    assert refused.status_code == 503
    assert "restore it from the backup" in refused.json()["detail"]
    taken = world.post(f"{path}/inferences", {"records": [record]})  # what has no text goes on
    assert taken.json()["new"] == 1
