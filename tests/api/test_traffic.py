from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.monitoring.tables import Feedback, InferenceRecord
from bailiwick.monitoring.texts import RECORD, Sealed, open_texts
from bailiwick.registry import Deployment
from support import api_bodies
from support.api_bodies import FEATURES, instances
from support.api_world import World, seen_of


@pytest.fixture
def deployment(world: World) -> Deployment:
    """A deployment that keeps no text."""
    return world.running()


@pytest.fixture
def path(deployment: Deployment) -> str:
    """Its address."""
    return f"/deployments/{deployment.id}"


def records(world: World) -> list[InferenceRecord]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(InferenceRecord).order_by(InferenceRecord.record_id)))


def accuracy(world: World, path: str) -> dict[str, Any]:
    period = {"start": "2020-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}
    told: dict[str, Any] = world.get(f"{path}/accuracy", params=period).json()
    return told


def send_feedback(world: World, path: str, **labels: str) -> dict[str, int]:
    items = [{"record_id": record_id, "label": label} for record_id, label in labels.items()]
    answer = world.post(f"{path}/feedback", {"feedback": items})
    assert answer.status_code == 202, answer.text
    told: dict[str, int] = answer.json()
    return told


def test_rows_are_answered_in_order_by_the_version_that_is_served(world: World, path: str) -> None:
    answer = world.post(f"{path}/predict", instances("a", "b", None))
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert told["version"] == 1
    assert [p["record_id"] for p in told["predictions"]][:2] == ["a", "b"]
    said = {"record_id": "a", "label": "Fuel", "confidence": 0.9, "version": 1}
    assert told["predictions"][0] == said
    assert told["predictions"][2]["record_id"]
    (asked,) = world.gateway.asked
    assert asked[0] == told["version_id"]
    assert len(asked[1]) == 3
    assert len(records(world)) == 3


def test_what_the_model_server_measured_is_logged_and_keys_as_pseudonyms(
    world: World, path: str
) -> None:
    world.post(f"{path}/predict", instances("a"))
    (row,) = records(world)
    seen = seen_of(world.gateway.asked[0][1][0])
    assert (row.entropy, row.tokens_per_word, row.language) == (0.25, 1.5, "en")
    assert (row.embedding, row.non_letter_ratio) == (seen.embedding, seen.non_letter_ratio)
    keys = world.platform.pseudonyms.text_keys([seen.text_key, seen.form_key])
    assert [row.text_key, row.form_key] == keys
    assert seen.text_key not in keys


def test_the_text_stays_out_of_the_log_unless_the_deployment_keeps_it(
    world: World, path: str
) -> None:
    world.post(f"{path}/predict", instances("a"))
    assert records(world)[0].sealed is None
    assert records(world)[0].words > 0


def test_a_deployment_that_keeps_text_keeps_it(world: World) -> None:
    deployment = world.running(keeps_text=True)
    world.post(f"/deployments/{deployment.id}/predict", instances("a"))
    (row,) = records(world)
    assert "Shop 1" not in str(row.text) + str(row.sealed)
    with world.platform.database.reading() as session:
        sealed = Sealed(row.deployment_id, row.record_id, row.sealed, row.data_key_id)
        assert "Shop 1" in str(open_texts(session, world.platform.texts, RECORD, [sealed]))


def test_a_record_id_counts_once_however_often_it_is_sent(world: World, path: str) -> None:
    for ids in (("a", "b"), ("a", "a"), ("b", "c")):
        assert world.post(f"{path}/predict", instances(*ids)).status_code == 200
    assert [record.record_id for record in records(world)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"instances": [{"features": {"merchant": "x"}}]}, 422, "cost_centre"),
        ({"instances": [{"features": {}}]}, 422, "merchant, cost_centre"),
        ({"instances": []}, 422, "instances"),
        ({"instances": [{"features": FEATURES | {"merchant": 7}}]}, 422, "merchant"),
        ({"instances": [{"features": FEATURES | {"merchant": "x" * 10_001}}]}, 422, "merchant"),
        ({"instances": [{"features": FEATURES, "at": "2026-01-01T00:00:00"}]}, 422, "at"),
        ({"instances": [{"features": FEATURES, "record_id": ""}]}, 422, "record_id"),
        ({"instances": [{"features": FEATURES}] * 2_001}, 422, "2000"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_logged(
    world: World, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = world.post(f"{path}/predict", body)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert records(world) == []


def test_the_instance_at_fault_is_named(world: World, path: str) -> None:
    rows = [{"features": FEATURES}, {"features": {"merchant": "x"}}]
    detail = world.post(f"{path}/predict", {"instances": rows}).json()["detail"]
    assert "instance 1" in detail


def test_a_stopped_deployment_says_how_to_start_it(world: World, path: str) -> None:
    world.patch(path, {"state": "stopped"})
    answer = world.post(f"{path}/predict", instances("a"))
    assert answer.status_code == 409
    assert "active" in answer.json()["detail"]
    world.patch(path, {"state": "active"})
    assert world.post(f"{path}/predict", instances("a")).status_code == 200


def test_a_model_server_that_is_down_is_told_and_nothing_is_logged(world: World, path: str) -> None:
    world.gateway.down = True
    answer = world.post(f"{path}/predict", instances("a"))
    assert answer.status_code == 503
    assert "bailiwick serve" in answer.json()["detail"]
    assert answer.headers["Retry-After"]
    assert records(world) == []


def test_no_transaction_is_open_while_the_model_answers(world: World, path: str) -> None:
    real, engine = world.gateway.classify, world.platform.database.engine
    held: list[int] = []

    def watched(version_id: str, texts: list[str], **more: Any) -> Any:
        held.append(engine.pool.checkedout())  # type: ignore[attr-defined]  # a queue pool
        return real(version_id, texts, **more)

    world.gateway.classify = watched  # type: ignore[method-assign, assignment]
    assert world.post(f"{path}/predict", instances("a")).status_code == 200
    assert held == [0]


def test_only_engineers_and_services_may_ask_a_model(world: World, path: str) -> None:
    statuses = {
        by: world.post(f"{path}/predict", instances("a"), by=by).status_code
        for by in ("engineer", "robot", "admin", "approver", "auditor", "steward")
    }
    assert statuses == {
        "engineer": 200,
        "robot": 200,
        "admin": 200,
        "approver": 403,
        "auditor": 403,
        "steward": 403,
    }


def test_feedback_counts_late_and_corrected_and_before_its_record(world: World, path: str) -> None:
    assert send_feedback(world, path, early="Fuel") == {"new": 1, "known": 0}
    world.post(f"{path}/predict", instances("early", "late"))
    assert accuracy(world, path)["labelled_rows"] == 1
    world.platform.clock.advance_to(  # type: ignore[attr-defined]  # a replay's clock
        world.platform.clock.now() + timedelta(days=90)
    )
    assert send_feedback(world, path, late="Travel") == {"new": 1, "known": 0}
    told = accuracy(world, path)
    assert (told["rows"], told["labelled_rows"], told["correct"], told["accuracy"]) == (
        2,
        2,
        1,
        0.5,
    )
    assert send_feedback(world, path, late="Fuel") == {"new": 1, "known": 0}
    assert send_feedback(world, path, late="Fuel") == {"new": 0, "known": 1}
    assert accuracy(world, path)["accuracy"] == 1.0
    with world.platform.database.reading() as session:
        kept = session.scalars(select(Feedback.revision).where(Feedback.record_id == "late"))
        assert sorted(kept) == [1, 2]


def test_a_label_that_the_model_has_never_seen_counts_as_wrong(world: World, path: str) -> None:
    world.post(f"{path}/predict", instances("a"))
    send_feedback(world, path, a="Never heard of")
    told = accuracy(world, path)
    assert (told["labelled_rows"], told["correct"]) == (1, 0)


def test_without_labels_there_is_no_accuracy(world: World, path: str) -> None:
    world.post(f"{path}/predict", instances("a"))
    assert accuracy(world, path)["accuracy"] is None


@pytest.mark.parametrize(
    "item", [{"record_id": "a"}, {"record_id": "a", "label": ""}, {"record_id": "", "label": "x"}]
)
def test_feedback_that_does_not_fit_is_refused(world: World, path: str, item: Any) -> None:
    assert world.post(f"{path}/feedback", {"feedback": [item]}).status_code == 422


def an_inference(**changes: Any) -> dict[str, Any]:
    at = datetime.fromisoformat("2026-01-02T00:00:00+00:00")
    return {
        "record_id": "a",
        "at": at.isoformat(),
        "prediction": "Fuel",
        "confidence": 0.5,
        "characters": 3,
        "words": 1,
        "unseen_words_ratio": 0.0,
    } | changes


def test_requests_answered_elsewhere_are_logged_once(world: World, path: str) -> None:
    body = {"records": [an_inference(), an_inference(record_id="b")]}
    first, again = (world.post(f"{path}/inferences", body) for _ in range(2))
    fine: dict[str, Any] = {"rejected": [], "rejected_total": 0}
    assert (first.status_code, first.json()) == (202, {"new": 2, "known": 0} | fine)
    assert again.json() == {"new": 0, "known": 2} | fine


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "Zebra 4711"}, "does not keep text"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": "NaN"}, "confidence"),
        ({"unseen_words_ratio": -0.1}, "unseen_words_ratio"),
        ({"words": -1}, "words"),
        ({"words": 10**30}, "words"),
        ({"at": "2026-01-02T00:00:00"}, "at"),
    ],
)
def test_a_record_that_does_not_fit_is_turned_away_and_the_others_are_kept(
    world: World, path: str, changes: dict[str, Any], said: str
) -> None:
    rows = [an_inference(record_id="b"), an_inference(**changes)]
    answer = world.post(f"{path}/inferences", {"records": rows})
    told = answer.json()
    assert (answer.status_code, told["new"], told["rejected_total"]) == (202, 1, 1)
    assert (told["rejected"][0]["place"], told["rejected"][0]["record_id"]) == (1, "a")
    assert said in told["rejected"][0]["detail"]
    assert "Zebra" not in answer.text
    assert [record.record_id for record in records(world)] == ["b"]


def test_a_version_of_another_model_is_refused(
    world: World, path: str, deployment: Deployment
) -> None:
    body = {"records": [an_inference()], "version_id": str(deployment.id)}
    answer = world.post(f"{path}/inferences", body)
    assert answer.status_code == 422
    assert "version_id" in answer.json()["detail"]


def test_a_body_field_with_a_typo_is_seen(world: World, path: str) -> None:
    row = {"features": FEATURES, "recordid": "a"}
    answer = world.post(f"{path}/predict", {"instances": [row]})
    assert "recordid" in answer.json()["detail"]
    assert api_bodies.LABEL["level"] not in answer.text
