"""Why a label is what it is: for each of its parts, who said so, and the way from there to here.

A label is the join of what people said about datasets and dataset versions, carried along runs.
So each part of it (the level, a compartment, a zone or purpose that it does not allow) comes from
at least one of them; the nearest is named.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from bailiwick.lineage.datasets import with_copies
from bailiwick.lineage.propagation import edges_of, reached_from
from bailiwick.lineage.runs import Node
from bailiwick.lineage.tables import Dataset, DatasetVersion, LineageEdge
from bailiwick.policy import Label, LabelMove, Scheme, load_label

Kind = Literal["level", "compartment", "residency", "purpose"]
Part = tuple[Kind, str]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Source:
    """Who gave a part: declared with the dataset, or said later about it or one version.

    `move_id`: the relabelling; None where the dataset was created so.
    """

    dataset_id: UUID
    version: DatasetVersion | None  # None: the dataset as a whole
    move_id: UUID | None
    actor_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class Explained:
    """Parts of one kind that have one source, and the way from it.

    `names`: the level, the compartments, or the zones or purposes that are NOT allowed. `path`
    leads from the source's version to what is explained, both included. `source` is None where
    the part was there when a version was registered and no input carries it: what a deployment
    had learned before its requests became data.
    """

    kind: Kind
    names: tuple[str, ...]
    source: Source | None
    path: tuple[Node, ...]


def parts_of(scheme: Scheme, label: Label) -> frozenset[Part]:
    """What a label demands: label `a` dominates `b` when `a` has all parts of `b`.

    That holds for levels too, since a level is the part of each level up to its own.
    """
    numbers = scheme.levels[: scheme.level_number(label.level) + 1]
    zones = (zone for zone in scheme.zones if not scheme.within(zone, label.residency))
    return frozenset(
        [
            *(("level", level) for level in numbers),
            *(("compartment", name) for name in label.compartments),
            *(("residency", zone) for zone in zones),
            *(("purpose", name) for name in scheme.purposes if name not in label.purposes),
        ]
    )


def explain_dataset(session: Session, scheme: Scheme, dataset: Dataset) -> tuple[Explained, ...]:
    """Who gave each part of a dataset's own label."""
    said = _said(session, scheme, [dataset], {})[dataset.id]
    wanted = _shown(scheme, load_label(session, dataset.label_id))
    return _grouped({part: (said.get(part), ()) for part in wanted})


def explain_label(
    session: Session, scheme: Scheme, label: Label, ends: Sequence[Node]
) -> tuple[Explained, ...]:
    """Who gave each part of a label that its bearer has from `ends`, by the shortest way.

    `ends`: the version itself, or what a run read or a deployment serves. Five queries, however
    far back the lineage goes.
    """
    starts = select(LineageEdge.node_id).where(LineageEdge.node_id.in_([one.id for one in ends]))
    made_from = defaultdict[UUID, list[Node]](list)
    inputs = defaultdict[UUID, list[Node]](list)
    edges = edges_of(session, reached_from(starts, "up"))
    for edge in edges:
        if edge.direction == "input":
            inputs[edge.run_id].append(edge.node)
    for edge in edges:
        if edge.direction == "output":
            made_from[edge.node.id] += inputs[edge.run_id]
    ways = dict(_ways(ends, made_from))
    versions = _with_their_copies(session, ways)
    datasets = {version.dataset_id: version.dataset for version in versions.values()}
    said = _said(session, scheme, list(datasets.values()), versions)
    found: dict[Part, tuple[Source | None, tuple[Node, ...]]] = {}
    for part in _shown(scheme, label):
        found[part] = (None, ())
        for node, way in ways.items():  # nearest first
            version = versions.get(node.id)
            own = said[version.dataset_id] | said[version.id] if version else {}
            if part in own:
                found[part] = (own[part], way)
                break
    return _grouped(found)


def _shown(scheme: Scheme, label: Label) -> Iterator[Part]:
    """The parts worth telling, in order: of the levels only the highest."""
    for kind, name in sorted(
        parts_of(scheme, label), key=lambda part: (KINDS.index(part[0]), part[1])
    ):
        if kind != "level" or name == label.level:
            yield kind, name


def _ways(
    ends: Sequence[Node], made_from: Mapping[UUID, Sequence[Node]]
) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Every node above, nearest first, with a shortest way from it to one of the ends."""
    ways: dict[Node, tuple[Node, ...]] = {end: (end,) for end in ends}
    waiting = deque(ways)
    while waiting:
        node = waiting.popleft()
        yield node, ways[node]
        for source in made_from.get(node.id, ()):
            if source not in ways:
                ways[source] = (source, *ways[node])
                waiting.append(source)


def _with_their_copies(
    session: Session, ways: dict[Node, tuple[Node, ...]]
) -> dict[UUID, DatasetVersion]:
    """The dataset versions among the ways, and what holds the same rows, which is added to them.

    Of two copies either may have been relabelled: the other rises with it.
    """
    known = {one.id: one for one in ways if one.type == "dataset-version"}
    found = session.scalars(
        select(DatasetVersion).where(
            DatasetVersion.id.in_(
                with_copies(select(DatasetVersion.id).where(DatasetVersion.id.in_(known)))
            )
        )
    ).all()
    originals = {
        digest: known[version.id]
        for version in found
        if version.id in known
        for digest in (version.content_digest, version.source_digest)
        if digest is not None
    }
    for version in found:
        if version.id not in known:
            copy = Node("dataset-version", version.id)
            twin = originals.get(version.content_digest) or originals[version.source_digest or ""]
            ways[copy] = (copy, *ways[twin])
    return {version.id: version for version in found}


def _said(
    session: Session,
    scheme: Scheme,
    datasets: Sequence[Dataset],
    versions: Mapping[UUID, DatasetVersion],
) -> defaultdict[UUID, dict[Part, Source]]:
    """Which parts people gave to these datasets and versions, by id, with who did so first."""
    moves = defaultdict[UUID, list[LabelMove]](list)
    of = [*(one.id for one in datasets), *versions]
    given = select(LabelMove).where(LabelMove.id == LabelMove.cause_id, LabelMove.node_id.in_(of))
    for move in session.scalars(given.order_by(LabelMove.id)):
        moves[move.node_id].append(move)
    said = defaultdict[UUID, dict[Part, Source]](dict)
    for one in datasets:
        first = moves[one.id][0].old_label_id if moves[one.id] else one.label_id
        declared = Source(one.id, None, None, one.owner_id, one.created_at)
        said[one.id] = dict.fromkeys(parts_of(scheme, load_label(session, first)), declared)
        _add(session, scheme, said[one.id], moves[one.id], one.id, None)
    for version in versions.values():
        _add(session, scheme, said[version.id], moves[version.id], version.dataset_id, version)
    return said


def _add(
    session: Session,
    scheme: Scheme,
    parts: dict[Part, Source],
    moves: Iterable[LabelMove],
    dataset_id: UUID,
    version: DatasetVersion | None,
) -> None:
    """What later relabellings added, each only what was not there before."""
    for move in moves:
        source = Source(dataset_id, version, move.id, move.actor_id, move.at)
        old, new = (load_label(session, one) for one in (move.old_label_id, move.new_label_id))
        for part in parts_of(scheme, new) - parts_of(scheme, old):
            parts.setdefault(part, source)


def _grouped(
    found: Mapping[Part, tuple[Source | None, tuple[Node, ...]]],
) -> tuple[Explained, ...]:
    """Parts of one kind with the same source and way are told together."""
    names = defaultdict[tuple[Kind, Source | None, tuple[Node, ...]], list[str]](list)
    for (kind, name), (source, way) in found.items():
        names[kind, source, way].append(name)
    return tuple(
        Explained(kind, tuple(those), source, way) for (kind, source, way), those in names.items()
    )
