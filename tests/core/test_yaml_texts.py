from pathlib import Path

import pytest
import yaml

from bailiwick.core.yaml_texts import parse_yaml

POLICIES = Path(__file__).parents[2] / "policies"
TEXTS = [
    *(path.read_text("utf-8") for path in sorted(POLICIES.rglob("*.yaml"))),
    "a: yes\nb: 2020-01-01\nc: 0o7\nd: 1e3\ne: ~\nf: 'x'",
    "base: &a {x: 1}\nmore: {<<: *a, y: [*a, *a]}",
    "a: 1\na: 2",
    "",
]


def test_it_reads_what_the_safe_loader_reads() -> None:
    for text in TEXTS:
        assert parse_yaml(text) == parse_yaml(text.encode()) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a: [1", "a: b: c", "- \x00", "*unknown", "--- 1\n--- 2", b"\xff\xfe\x00"),
        "!!python/object/apply:os.getcwd []",
    ],
)
def test_what_is_no_plain_data_is_refused(text: str | bytes) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_endless_nesting_is_refused_and_ends_no_process(opening: str) -> None:
    with pytest.raises(yaml.YAMLError, match="too deeply"):
        parse_yaml(opening * 20_000)
