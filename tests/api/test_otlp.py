"""Spans of OpenTelemetry exporters become records; what is no such span is counted."""

import gzip
import json
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from bailiwick.monitoring import InferenceRecord
from bailiwick.monitoring.texts import RECORD, Sealed, open_texts
from bailiwick.texts import measures_of
from support.api_bodies import attribute, span, spans
from support.api_world import World

PATH = "/otlp/v1/traces"


def records(world: World) -> list[InferenceRecord]:
    with world.platform.database.reading() as session:
        return list(session.scalars(select(InferenceRecord).order_by(InferenceRecord.record_id)))


@pytest.fixture
def named(world: World) -> str:
    """A deployment that keeps no text."""
    deployment = world.running()
    return f"{deployment.namespace}/{deployment.name}"


CHAT = {
    "gen_ai__request__model": "coder",
    "gen_ai__usage__input_tokens": 120,
    "gen_ai__usage__output_tokens": 42,
    "bailiwick__confidence": 0.75,
    "gen_ai__input__messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": "Zebra crossing 4711"}]}]
    ),
    "gen_ai__output__messages": "[]",
}


def test_a_span_becomes_a_record(world: World, named: str) -> None:
    answer = world.post(PATH, spans(named, span(7, **CHAT)))
    assert (answer.status_code, answer.json()) == (200, {})
    (row,) = records(world)
    assert row.record_id == "0000000000000007"
    assert row.at == datetime.fromisoformat("2026-01-01T00:00:01.250000+00:00")
    assert (row.latency_ms, row.tokens, row.confidence) == (1250.0, 42, 0.75)
    assert (row.prediction, row.characters, row.words) == ("Fuel", 19, 3)
    assert (row.text, row.sealed) == (None, None)
    assert row.join_key == world.platform.pseudonyms.join_keys([f"{7:032x}"])[0]


def test_prompt_and_answer_are_measured_where_they_pass(world: World, named: str) -> None:
    said = json.dumps([{"role": "assistant", "parts": [{"content": "I can't help with that."}]}])
    own = {"bailiwick__entropy": 0.5, "bailiwick__language": "da"}
    world.post(PATH, spans(named, span(7, **CHAT | own | {"gen_ai__output__messages": said})))
    (row,) = records(world)
    assert (row.refusal, row.repetition_ratio, row.tokens_per_word) == (True, 0.0, 40.0)
    assert (row.entropy, row.language) == (0.5, "da")
    assert row.non_letter_ratio == pytest.approx(4 / 17)
    key = measures_of("Zebra crossing 4711").text_key
    assert row.text_key == world.platform.pseudonyms.text_keys([key])[0]


def test_a_deployment_may_have_phrases_of_its_own_for_refusals(world: World) -> None:
    named = str(world.running().id)
    address = f"/deployments/{named}/intake"
    assert "as an ai" in world.get(address).json()["refusals"]
    own = {"refusals": ["Det kan jeg ikke"]}
    told = world.ask("PUT", address, by="engineer", json=own).json()
    assert told["refusals"] == ["Det kan jeg ikke"]
    said = {"gen_ai__output__messages": "Beklager, det kan  jeg ikke hjælpe med"}
    world.post(PATH, spans(named, span(7, **CHAT | said)))
    assert [row.refusal for row in records(world)] == [True]


def test_the_prompt_is_kept_where_text_is(world: World) -> None:
    deployment = world.running(keeps_text=True)
    legacy = {"gen_ai.prompt": "Zebra"}
    world.post(PATH, spans(str(deployment.id), span(1, **CHAT), span(2, **legacy)))
    rows = [
        Sealed(row.deployment_id, row.record_id, row.sealed, row.data_key_id)
        for row in records(world)
    ]
    with world.platform.database.reading() as session:
        texts = open_texts(session, world.platform.texts, RECORD, rows)
    assert texts == ["Zebra crossing 4711", "Zebra"]


def test_the_finish_reason_stands_for_a_prediction(world: World, named: str) -> None:
    reasons = {"gen_ai__response__finish_reasons": ["length"]}
    bare = span(1, **reasons)
    bare["attributes"] = [one for one in bare["attributes"] if "bailiwick" not in one["key"]]
    world.post(PATH, spans(named, bare))
    assert [row.prediction for row in records(world)] == ["length"]


def test_the_same_spans_again_are_known(world: World, named: str) -> None:
    for _ in range(2):
        assert world.post(PATH, spans(named, span(1), span(2))).json() == {}
    assert len(records(world)) == 2


def test_other_spans_are_ignored_and_counted(world: World, named: str) -> None:
    other = span(2)
    other["attributes"] = [attribute("http.request.method", "GET")]
    strange = span(3) | {"spanId": "Zebra"}
    body = spans(named, span(1), other, strange)
    body["resourceSpans"].append({"scopeSpans": [{"spans": [span(4)]}]})  # names no deployment
    told = world.post(PATH, body).json()["partialSuccess"]
    assert told["rejectedSpans"] == "3"
    assert "2 spans have no gen_ai attribute" in told["errorMessage"]
    assert "1 are no records" in told["errorMessage"]
    assert "Zebra" not in told["errorMessage"]
    assert len(records(world)) == 1


def test_if_one_deployment_is_refused_nothing_is_taken(world: World, named: str) -> None:
    body = spans(named, span(1))
    body["resourceSpans"] += spans("finance/none", span(2))["resourceSpans"]
    assert world.post(PATH, body).status_code == 404
    assert world.post(PATH, spans(named, span(1)), by="approver").status_code == 403
    assert records(world) == []


def test_an_exporter_may_compress(world: World, named: str) -> None:
    packed = gzip.compress(json.dumps(spans(named, span(1))).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert world.post(PATH, content=packed, headers=headers).json() == {}
    assert len(records(world)) == 1


def test_protobuf_is_refused_and_says_what_to_set(world: World, named: str) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    answer = world.post(PATH, content=named.encode(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    assert "http/json" in answer.json()["detail"]


@pytest.mark.parametrize("body", [[], {"resourceSpans": "Zebra"}, {"resourceSpans": [7]}])
def test_what_is_no_trace_request_is_refused(world: World, named: str, body: Any) -> None:
    answer = world.post(PATH, body)
    assert answer.status_code == 422
    assert "OTLP" in answer.json()["detail"]
    assert "Zebra" not in answer.text
    assert named
