"""All measures of one candidate, each with its time, none able to stop another."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.training.data import Frame, read_frame
from bailiwick.training.measures import beside
from bailiwick.training.measures.beside import Pair, answered
from bailiwick.training.measures.membership import (
    ATTACKS,
    LEAST_WITHHELD,
    Floats,
    Withheld,
    alone,
    columns_of,
    separation,
)
from bailiwick.training.measures.overlaps import overlaps
from bailiwick.training.spec import Measures

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A candidate, its champion, the rows it learned from and those it is judged on.

    `train_again` makes the candidate's manifest once more. Sizes are in bytes.
    """

    pair: Pair
    train: Frame
    holdout: Frame
    wanted: Measures
    withheld: Withheld | None
    manifest: list[dict[str, Any]]
    champion_bytes: int | None
    train_again: Callable[[], list[dict[str, Any]]]
    seed: int


def measured(bench: Bench) -> dict[str, Figures]:
    """By gate its figures, each with the `seconds` they took."""
    pair, holdout, wanted, seed = bench.pair, bench.holdout, bench.wanted, bench.seed
    own = answered(pair.candidate, holdout.texts, holdout.labels)
    champion = answered(pair.champion, holdout.texts, holdout.labels) if pair.champion else None
    works: Mapping[str, Callable[[], Figures]] = {
        "slices": lambda: beside.slices(own, champion, holdout, wanted.segments),
        "calibration": lambda: beside.calibration(own, champion),
        "latency": lambda: beside.latency(pair, holdout, seed=seed),
        "size": lambda: _size(bench),
        "robustness": lambda: beside.robustness(pair, own, holdout, seed=seed),
        "data_checks": lambda: overlaps(bench.train, holdout, keyed=wanted.key),
    }
    if wanted.golden is not None:
        golden = wanted.golden
        works = {**works, "golden_set": lambda: _golden_set(bench, read_frame(golden))}
    if wanted.membership:
        works = {**works, "membership": lambda: _membership(bench)}
    if wanted.reproduce:
        works = {**works, "reproducibility": lambda: _reproduced(bench)}
    return {gate: _attempted(work) for gate, work in works.items()}


def _attempted(work: Callable[[], Figures]) -> Figures:
    """What the work found, or why it found nothing; never the words of a foreign error."""
    started = time.perf_counter()
    try:
        found = work()
    except BailiwickError as error:
        return {"unknown": error.message}
    except Exception as error:  # noqa: BLE001 - whatever it was: the gate is not passed
        return {"unknown": f"measuring it failed ({type(error).__name__})"}
    return found | {"seconds": round(time.perf_counter() - started, 3)}


def _golden_set(bench: Bench, golden: Frame) -> Figures:
    """How the golden rows were answered, and how many of them were learned from."""
    found = beside.golden_set(bench.pair, golden)
    shared = overlaps(bench.train, golden, keyed=False)
    return found | {"leaked_rows": shared["leaked_rows"]}


def _size(bench: Bench) -> Figures:
    return {
        "bytes": sum(int(file["size_bytes"]) for file in bench.manifest),
        "champion_bytes": bench.champion_bytes,
    }


def _membership(bench: Bench) -> Figures:
    withheld, engine = bench.withheld, bench.pair.candidate
    if withheld is None:
        raise Invalid(
            "there are too few rows to withhold some from training "
            f"({LEAST_WITHHELD} of labels that have enough): learn from more rows"
        )
    scores = []
    for frame in (withheld.members, withheld.non_members):
        probabilities = engine.probabilities(frame.texts).astype(np.float64)
        truth = columns_of(engine.labels, frame.labels)
        scores.append({name: attack(probabilities, truth) for name, attack in ATTACKS.items()})
    members, others = scores
    attacks = [
        {"attack": name, **asdict(separation(members[name], others[name], seed=bench.seed))}
        for name in ATTACKS
    ]
    found = {"members": len(withheld.members), "non_members": len(withheld.non_members)}
    return found | {"attacks": attacks, "alone": _alone(withheld, members, others, bench.seed)}


def _alone(
    withheld: Withheld, members: Mapping[str, Floats], others: Mapping[str, Floats], seed: int
) -> Figures | None:
    """How well the loss tells rows whose text is theirs alone; None where they are too few."""
    own, foreign = alone(withheld)
    if min(own.sum(), foreign.sum()) < LEAST_WITHHELD:
        return None
    found = separation(members["loss"][own], others["loss"][foreign], seed=seed)
    return {"members": int(own.sum()), "non_members": int(foreign.sum()), **asdict(found)}


def _reproduced(bench: Bench) -> Figures:
    first, again = (
        {file["path"]: file["sha256"] for file in manifest}
        for manifest in (bench.manifest, bench.train_again())
    )
    differing = sorted(path for path in first | again if first.get(path) != again.get(path))
    return {"same": not differing, "differing": differing}
