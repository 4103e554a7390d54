"""Ways to learn about hidden data by asking why a label is what it is, and what would raise it."""

from collections.abc import Iterator
from typing import Any

import pytest

from bailiwick.lifecycle import Platform
from support.api_world import World
from support.escapes import founded, label_of, told, trained, uploaded

SOURCE, MODEL = "people/payslips", "finance/payslips-model"
WHY = "it names illnesses"


@pytest.fixture(scope="module")
def house(shared_platform: Platform) -> Iterator[World]:
    """A model that learned from data of another department, whose label has risen since."""
    world = founded(shared_platform)
    world.join("local", "engineer", "steward", namespace="finance")
    trained(world, uploaded(world, SOURCE), namespace="finance")
    uploaded(world, "finance/invoices", csv=b"day,merchant,cost_centre,category\n" + ROWS)
    trained(world, "finance/invoices", namespace="people")
    higher = {"label": label_of("restricted"), "reason": WHY}
    raised = world.post(f"/datasets/{SOURCE}/label", higher, by="steward")
    assert raised.status_code == 200, raised.text
    yield world
    world.client.close()


ROWS = b"".join(
    f"2025-02-{1 + number % 28:02},Garage {number},CC{number % 3},Fuel\n".encode()
    for number in range(40)
)


def paths(world: World) -> list[str]:
    """What a caller who sees the model alone may ask for the reasons of."""
    runs = world.get("/runs?kind=train", by="local").json()["items"]
    return [f"/models/{MODEL}/versions/1/label", *(f"/runs/{run['id']}/label" for run in runs)]


def test_the_reasons_for_a_label_that_comes_from_hidden_data(house: World) -> None:
    """The parts are one's own to see; where they come from is counted, and said to nobody."""
    asked = paths(house)
    assert len(asked) == 2
    for path in asked:
        known = house.get(path, by="engineer")
        assert SOURCE in known.text
        assert WHY in known.text
        answer = house.get(path, by="local")
        assert answer.json()["label"]["level"] == "restricted"
        assert SOURCE not in answer.text
        assert WHY not in answer.text
        assert all(one["source"] is None for one in answer.json()["parts"])
        assert sum(one["unseen"] for one in answer.json()["parts"]) > 0


@pytest.mark.parametrize("version", ["", "@1"])
def test_what_would_happen_if_the_label_of_hidden_data_rose(house: World, version: str) -> None:
    def asked(data: str) -> Any:
        return house.get(f"/lineage/what-if?dataset={data}{version}&level=restricted", by="local")

    assert told(asked(SOURCE)) == told(asked("people/nothing"))
    for suffix in ("label", "versions/1/label"):
        hidden = house.get(f"/datasets/{SOURCE}/{suffix}", by="local")
        absent = house.get(f"/datasets/people/nothing/{suffix}", by="local")
        assert hidden.status_code == 404
        assert told(hidden) == told(absent)


def test_what_would_rise_with_data_of_ones_own(house: World) -> None:
    path = "/lineage/what-if?dataset=finance/invoices&level=restricted"
    whole, seen = (house.get(path, by=by).json() for by in ("engineer", "local"))
    assert "people/invoices-model@1" in {rise["name"] for rise in whole["rises"]}
    assert whole["unseen_rises"] == 0
    named = {rise["name"] for rise in seen["rises"]}
    assert named
    assert not any("people/" in name for name in named)
    assert seen["unseen_rises"] == len(whole["rises"]) - len(seen["rises"]) > 0
