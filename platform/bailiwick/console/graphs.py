"""A directed graph without cycles, drawn from left to right in layers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bailiwick.console import svg

BOX_WIDTH, BOX_HEIGHT = 142.0, 42.0
RUN_WIDTH = 78.0
GAP_X, GAP_Y, MARGIN = 30.0, 12.0, 4.0
SWEEPS = 6
MAX_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Box:
    """A node: `kind` is its class and icon, `href` None where it has no page of its own."""

    key: str
    kind: str
    title: str
    detail: str
    href: str | None = None
    current: bool = False

    @property
    def width(self) -> float:
        """Runs are smaller: they are the edges between versions."""
        return RUN_WIDTH if self.kind == "run" else BOX_WIDTH


def graph(
    boxes: Sequence[Box], edges: Sequence[tuple[str, str]], *, title: str, description: str
) -> Markup:
    """The drawing. `edges` are (from, to) keys of boxes; there must be no cycle."""
    layers = _layers(boxes, edges)
    places = _places(layers)
    width = max(x + box.width for layer in layers for box in layer for x in [places[box.key][0]])
    height = max(y for _, y in places.values()) + BOX_HEIGHT
    root = svg.drawing(
        width + MARGIN, height + MARGIN, title=title, description=description, css="graph"
    )
    root.set("width", f"{width + MARGIN:g}")
    by_key = {box.key: box for box in boxes}
    for source, target in edges:
        _edge(root, by_key[source], places[source], places[target])
    for box in boxes:
        _box(root, box, *places[box.key])
    return svg.markup(root)


def _layers(boxes: Sequence[Box], edges: Sequence[tuple[str, str]]) -> list[list[Box]]:
    """Each box one layer after the last of those that lead to it; few crossings (barycentres)."""
    before, after = defaultdict(list), defaultdict(list)
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    depth: dict[str, int] = {}
    waiting = {box.key: len(before[box.key]) for box in boxes}
    ready = [key for key, sources in waiting.items() if not sources]
    while ready:
        key = ready.pop()
        depth[key] = max((depth[source] + 1 for source in before[key]), default=0)
        for target in after[key]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    layers: list[list[Box]] = [[] for _ in range(max(depth.values()) + 1)]
    for box in boxes:
        layers[depth[box.key]].append(box)
    for sweep in range(SWEEPS):
        beside = before if sweep % 2 == 0 else after
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _settle(layer, layers, beside)
    return layers


def _settle(layer: list[Box], layers: list[list[Box]], beside: Mapping[str, list[str]]) -> None:
    rank = {box.key: place for other in layers for place, box in enumerate(other)}
    layer.sort(
        key=lambda box: (
            sum(rank[key] for key in beside[box.key]) / len(beside[box.key])
            if beside[box.key]
            else rank[box.key]
        )
    )


def _places(layers: Sequence[Sequence[Box]]) -> dict[str, tuple[float, float]]:
    tallest = max(len(layer) for layer in layers)
    places = {}
    x = MARGIN
    for layer in layers:
        top = (tallest - len(layer)) * (BOX_HEIGHT + GAP_Y) / 2 + MARGIN
        for place, box in enumerate(layer):
            places[box.key] = (x, top + place * (BOX_HEIGHT + GAP_Y))
        x += max((box.width for box in layer), default=0.0) + GAP_X
    return places


def _edge(
    root: svg.Element, source: Box, start: tuple[float, float], end: tuple[float, float]
) -> None:
    x1, y1 = start[0] + source.width, start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
    bend = min((x2 - x1) / 2, GAP_X)
    svg.add(
        root,
        "path",
        d=f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}",
        css="edge",
    )


def _box(root: svg.Element, box: Box, x: float, y: float) -> None:
    parent = svg.add(root, "a", href=box.href) if box.href else root
    css = f"box {box.kind}{' current' if box.current else ''}"
    group = svg.add(parent, "g", css=css)
    svg.hint(group, f"{box.title}: {box.detail}")
    svg.add(group, "rect", x=x, y=y, width=box.width, height=BOX_HEIGHT, rx=6)
    svg.add(group, "text", _shortened(box.title), x=x + 10, y=y + 18, css="name")
    svg.add(group, "text", _shortened(box.detail), x=x + 10, y=y + 33, css="detail")


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"
