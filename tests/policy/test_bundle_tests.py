"""What runs a bundle's own tests says what fails, and lets nothing pass for want of tests."""

from pathlib import Path

import pytest

from bailiwick.policy.bundle_tests import run_bundle_tests
from bailiwick.policy.bundles import read_bundle

SHIPPED = read_bundle(Path(__file__).parents[2] / "policies")


def changed(file: str, old: str, new: str) -> list[str]:
    """What the tests say of the shipped bundle with one text replaced."""
    text = SHIPPED[file].decode()
    assert old in text
    return run_bundle_tests({**SHIPPED, file: text.replace(old, new, 1).encode()})


def test_a_case_that_is_answered_otherwise_is_told_with_both_answers() -> None:
    failures = changed("duties.cedar", 'principal.kind == "person"', "true")
    (failure,) = failures
    assert failure == (
        "tests/duties.yaml: a service never decides, even with the role: "
        "expected deny by services-never-approve, got allow by approver-decides"
    )


def test_a_role_that_may_more_than_the_matrix_says_is_told() -> None:
    failures = changed("tests/roles.yaml", "audit:read: [admin, auditor]", "audit:read: [admin]")
    assert failures == [
        "tests/roles.yaml: audit:read: expected ['admin'], got ['admin', 'auditor']"
    ]


def test_the_matrix_lists_every_action_and_no_other() -> None:
    failures = changed("tests/roles.yaml", "audit:read:", "audit:reed:")
    assert failures == [
        "tests/roles.yaml: audit:read is missing",
        "tests/roles.yaml: audit:reed is no action of the schema",
    ]


def test_an_action_that_is_not_asked_as_the_schema_says_is_told() -> None:
    failures = changed("tests/fitting.yaml", "audit: AuditLog", "audit: Model")
    assert "tests/fitting.yaml: audit:read cannot be asked about a Model: add what fits it" in (
        failures
    )


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("roles.cedar", "permit (", "roles.cedar does not fit"),
        ("classification.yaml", "levels: [", "classification.yaml cannot be read"),
        ("tests/duties.yaml", "- [", "tests/duties.yaml is not YAML"),
        ("tests/duties.yaml", "- it: x", "tests/duties.yaml must be a list of cases"),
        ("tests/duties.yaml", "", "tests/duties.yaml must be a list of cases"),
        (
            "tests/duties.yaml",
            "- {it: x, who: nobody, action: a, what: {type: Model}, expect: deny}",
            "cannot be asked: KeyError('nobody')",
        ),
        ("tests/cast.yaml", "actors: {}", "tests: KeyError('labels')"),
        ("tests/cast.yaml", "[" * 1_500, "tests"),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_a_failure(file: str, text: str, says: str) -> None:
    failures = run_bundle_tests({**SHIPPED, file: text.encode()})
    assert any(says in failure for failure in failures), failures


def test_a_bundle_without_tests_fails() -> None:
    bare = {name: content for name, content in SHIPPED.items() if not name.startswith("tests/")}
    assert run_bundle_tests(bare) == [
        "the bundle must bring its tests: tests/cast.yaml, tests/fitting.yaml, tests/roles.yaml"
    ]
    supporting = ("tests/cast.yaml", "tests/fitting.yaml", "tests/roles.yaml")
    tableless = bare | {name: SHIPPED[name] for name in supporting}
    assert run_bundle_tests(tableless) == ["the bundle must bring its tests: a table of cases"]


def test_the_tests_are_part_of_the_bundle_and_foreign_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("a.cedar", "b.yaml", "notes.txt", ".hidden.yaml", "tests/c.yaml", "tests/d.py"):
        (tmp_path / name).write_bytes(b"x")
    assert set(read_bundle(tmp_path)) == {"a.cedar", "b.yaml", "tests/c.yaml"}
