"""`bailiwick train`: order a training, and watch it if one likes."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bailiwick.cli.api_client import command
from bailiwick.cli.output import facts, percent, plain, short
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Job
from bailiwick.core.errors import Invalid

app = typer.Typer()

Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is done, with a progress bar.")]
Samples = Annotated[
    list[str] | None,
    typer.Option(
        "--sample",
        metavar="NAME=VALUE",
        help="Draw from older rows: replay_ratio, half_life_days, balance_ratio, max_repeats, "
        "hard_ratio.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of the recipe; may be repeated."),
]


def show_order(_: Bailiwick, job: Job) -> RenderableType:
    """The job that was ordered, or what came of it."""
    result = job["result"]
    if result is None:
        ending = short(job["id"])
        return plain(f"Job {ending} is {job['state']}: bailiwick job show {ending}")
    known = {"result": result.get("summary", job["state"])}
    if "accuracy" in result:
        known["accuracy"] = percent(result["accuracy"])
        known["champion had"] = percent(result.get("champion_accuracy"))
    known["job"] = job["id"]
    return Group(facts(known), *(plain(f"- {reason}") for reason in result.get("reasons") or []))


@command(app, "train", show=show_order)
def train(
    client: Bailiwick,
    model: Annotated[str, typer.Argument(metavar="NAMESPACE/NAME")],
    dataset: Annotated[
        list[str],
        typer.Option(metavar="NAMESPACE/NAME@VERSION", help="Versions of one dataset."),
    ],
    purpose: Annotated[str, typer.Option(help="What for; the data's label must allow it.")],
    recipe: Annotated[str | None, typer.Option(help="Name of the recipe.")] = None,
    setting: Settings = None,
    risk_tier: Annotated[str | None, typer.Option(help="Which gates: standard or high.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    holdout_ratio: Annotated[float | None, typer.Option(help="Newest share kept to judge.")] = None,
    max_rows: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    window_days: Annotated[int | None, typer.Option(min=1, help="Only the newest days.")] = None,
    sample: Samples = None,
    *,
    from_champion: Annotated[
        bool, typer.Option("--from-champion", help="Start from the champion's weights.")
    ] = False,
    memory_bytes: Annotated[
        int | None, typer.Option(min=1, help="End it when its processes hold more.")
    ] = None,
    time_seconds: Annotated[
        int | None, typer.Option(min=1, help="End an attempt that takes longer.")
    ] = None,
    wait: Wait = False,
) -> Job:
    """Train a version of a model. The answer is a job; --wait stays until it is done."""
    job = client.train(
        model,
        dataset,
        purpose=purpose,
        recipe_name=recipe,
        recipe=numbers_of("--set", setting),
        risk_tier=risk_tier,
        seed=seed,
        from_champion=from_champion,
        holdout_ratio=holdout_ratio,
        max_rows=max_rows,
        window_days=window_days,
        sampling=numbers_of("--sample", sample),
        memory_bytes=memory_bytes,
        time_seconds=time_seconds,
    )
    return waited_for(client, job) if wait else job


def numbers_of(option: str, pairs: list[str] | None) -> dict[str, Any] | None:
    """The `NAME=VALUE` pairs of an option as numbers; None if there are none."""
    if not pairs:
        return None
    settings = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            settings[name.strip()] = json.loads(value)
        except ValueError as error:
            example = "layers=2" if option == "--set" else "replay_ratio=0.3"
            raise Invalid(
                f"{option} {pair} has no number; write it as {option} {example}"
            ) from error
    return settings


def waited_for(client: Bailiwick, job: Job) -> Job:
    """The job once it is done, with a bar on standard error meanwhile."""
    with _bar() as show:
        return client.wait(job, on_progress=show)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[Job], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("waiting for a worker", total=None)

        def show(job: Job) -> None:
            now = job["progress"]
            progress.update(
                task,
                description=str(now.get("stage", job["state"])),
                completed=now.get("step", 0),
                total=now.get("steps"),
            )

        yield show
