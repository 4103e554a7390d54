from typing import Any

import pytest

from bailiwick.lifecycle import Platform
from support.api_routes import OPEN, Operation, operations, served
from support.api_world import World


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    """What clients are told."""
    told: dict[str, Any] = world.get("//openapi.json", by=None).json()
    return told


def test_the_document_lists_exactly_what_is_served(world: World, document: dict[str, Any]) -> None:
    listed = {(operation.method, operation.path) for operation in operations(document)}
    own = {path for _, path in served(world.app) if path.startswith(("/docs", "/openapi.json"))}
    real = {(m, p.replace(":path}", "}")) for m, p in served(world.app) if p not in own}
    assert listed == real
    assert len(listed) > 60


def test_every_operation_names_an_action_that_the_policies_know(
    platform: Platform, document: dict[str, Any]
) -> None:
    unknown = [
        (operation.method, operation.path, operation.action)
        for operation in operations(document)
        if operation.path not in OPEN and operation.action not in platform.rules.engine.actions
    ]
    assert unknown == []


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    seen: set[str] = set()
    for operation in operations(document):
        told = operation.document
        assert told["summary"], operation.path
        assert told["description"], operation.path
        assert told["tags"], operation.path
        assert told["operationId"] not in seen
        seen.add(told["operationId"])


def test_every_operation_says_what_it_answers(document: dict[str, Any]) -> None:
    for operation in operations(document):
        good = {s: a for s, a in operation.document["responses"].items() if s.startswith("2")}
        assert len(good) == 1, operation.path
        status, answer = good.popitem()
        if status != "204" and not answers_no_json(operation):
            assert answer["content"]["application/json"]["schema"], operation.path


def test_every_governed_operation_describes_its_problems(document: dict[str, Any]) -> None:
    for operation in operations(document):
        if operation.path in OPEN:
            continue
        for status in ("401", "403", "404", "422"):
            content = operation.document["responses"][status]["content"]
            assert set(content) == {"application/problem+json"}, (operation.path, status)
            schema = content["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, (operation.path, status)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [ref for item in value.values() for ref in references(item)]
        if isinstance(value, list):
            return [ref for item in value for ref in references(item)]
        return []

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    found = set(references(document))
    assert found <= known
    assert len(found) > 30


def test_every_path_parameter_is_declared(document: dict[str, Any]) -> None:
    for operation in operations(document):
        named = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
        declared = {
            parameter["name"]
            for parameter in operation.document.get("parameters", [])
            if parameter["in"] == "path"
        }
        assert named == declared, operation.path


def answers_no_json(operation: Operation) -> bool:
    """Files, reports, exports, streams and metrics."""
    return operation.path.endswith(("/files/{path}", "/report", "/export", "/stream", "/metrics"))
