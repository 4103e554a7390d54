from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from bailiwick.core.errors import Invalid
from bailiwick.core.ids import new_id
from bailiwick.lineage import Node, record_run, walk
from bailiwick.lineage.graph import BATCH
from bailiwick.policy import intern_label
from factories import CONFIDENTIAL, Factory


class Graph:
    """Runs between named nodes; lineage knows nodes by id only."""

    def __init__(self, make: Factory) -> None:
        self.make = make
        self.nodes: dict[str, Node] = {}
        self.label = intern_label(make.session, CONFIDENTIAL)

    def __getitem__(self, name: str) -> Node:
        kind = "model-version" if name.startswith("m") else "dataset-version"
        return self.nodes.setdefault(name, Node(kind, new_id()))  # type: ignore[arg-type]

    def run(self, inputs: str, outputs: str) -> UUID:
        """A run that read and wrote the nodes with these names."""
        return record_run(
            self.make.session,
            "prepare",
            namespace="finance",
            label_id=self.label,
            inputs=[self[name] for name in inputs.split()],
            outputs=[self[name] for name in outputs.split()],
            parameters={},
            metrics={},
            started_at=self.make.at,
            actor_id=self.make.root.id,
            at=self.make.at,
        ).id

    def hops(self, start: str, direction: str, depth: int = 100) -> list[tuple[str, str, int]]:
        """What a walk finds, by name."""
        self.make.session.flush()
        names = {node.id: name for name, node in self.nodes.items()}
        steps = walk(self.make.session, self[start], direction, depth=depth)  # type: ignore[arg-type]
        return sorted((names[s.source.id], names[s.target.id], s.depth) for s in steps)


@pytest.fixture
def graph(make: Factory) -> Graph:
    """No runs yet."""
    return Graph(make)


def test_a_node_without_runs_has_no_lineage(graph: Graph) -> None:
    assert graph.hops("alone", "up") == graph.hops("alone", "down") == []


def test_a_chain_is_walked_both_ways_and_counts_hops_from_the_start(graph: Graph) -> None:
    graph.run("", "a")
    graph.run("a", "b")
    graph.run("b", "m")
    assert graph.hops("m", "up") == [("a", "b", 2), ("b", "m", 1)]
    assert graph.hops("a", "down") == [("a", "b", 1), ("b", "m", 2)]


def test_a_diamond_is_walked_once(graph: Graph) -> None:
    for inputs, outputs in (("a", "b"), ("a", "c"), ("b c", "d"), ("d", "m")):
        graph.run(inputs, outputs)
    assert graph.hops("m", "up") == [
        ("a", "b", 3),
        ("a", "c", 3),
        ("b", "d", 2),
        ("c", "d", 2),
        ("d", "m", 1),
    ]


def test_depth_ends_the_walk_and_has_bounds(graph: Graph) -> None:
    graph.run("a", "b")
    graph.run("b", "c")
    assert graph.hops("c", "up", depth=1) == [("b", "c", 1)]
    for depth in (0, -1, 101):
        with pytest.raises(Invalid, match="between 1 and 100"):
            graph.hops("c", "up", depth=depth)


def test_siblings_are_no_ancestors(graph: Graph) -> None:
    graph.run("a x", "b")
    graph.run("a", "other")
    assert graph.hops("b", "up") == [("a", "b", 1), ("x", "b", 1)]


def test_a_node_on_two_sides_of_one_run_does_not_go_in_circles(graph: Graph) -> None:
    graph.run("a", "a")
    assert graph.hops("a", "up") == [("a", "a", 1)]


def test_a_cycle_that_should_not_be_there_ends_the_walk(graph: Graph) -> None:
    graph.run("a", "b")
    graph.run("b", "a")
    assert graph.hops("a", "down") == [("a", "b", 1), ("b", "a", 2)]


def test_more_parents_than_a_batch_are_all_found_in_few_questions(graph: Graph) -> None:
    many = [f"p{number}" for number in range(BATCH + 50)]
    graph.run("root", " ".join(many))
    graph.run(" ".join(many), "m")
    statements: list[str] = []
    engine = graph.make.platform.database.engine

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)

    graph.make.session.flush()
    event.listen(engine, "before_cursor_execute", note)
    found = graph.hops("m", "up")
    event.remove(engine, "before_cursor_execute", note)
    assert len(found) == 2 * (BATCH + 50)
    assert len(statements) <= 6


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edges=st.sets(
        st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda edge: edge[0] < edge[1]),
        max_size=20,
    )
)
def test_any_graph_is_walked_like_its_edges_say(make: Factory, edges: set[tuple[int, int]]) -> None:
    graph = Graph(make)
    for source, target in edges:
        graph.run(f"n{source}", f"n{target}")
    reached: set[int] = {0}
    for source, target in sorted(edges):
        if source in reached:
            reached.add(target)
    found = {(source, target) for source, target, _ in graph.hops("n0", "down")}
    assert found == {(f"n{s}", f"n{t}") for s, t in edges if s in reached}
