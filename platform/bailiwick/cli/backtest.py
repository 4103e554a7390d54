"""`bailiwick backtest`: what a retraining strategy would have done, on a file or on a server."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bailiwick.cli.api_client import TokenFile, Url
from bailiwick.cli.backtest_on_server import Server, replay_on_server, shown, written
from bailiwick.cli.moments import BacktestSince
from bailiwick.cli.output import percent, plain, print_text, table
from bailiwick.core.errors import Invalid
from bailiwick.core.settings import read_settings
from bailiwick.lifecycle.backtest import (
    Outcome,
    Plan,
    Refits,
    Stream,
    Unit,
    open_stream,
    recovered_ratio,
    regret_answers,
    regularised,
    replay,
)
from bailiwick.lifecycle.backtest.replay import Watch
from bailiwick.lifecycle.strategies import (
    DEFAULT_PRICE_ANSWERS,
    FORMS,
    Hindsight,
    Strategy,
    strategy_named,
)
from bailiwick.lineage.rows import RowSpec
from bailiwick.training import RECIPES, HeadRecipe, Recipe

app = typer.Typer()
_NAME = "NAMESPACE/NAME"
DEFAULT_STRATEGIES = ["frozen", "every-period", "periodic:2", "threshold", "cost-aware"]
_RECIPES = {"head": "head", "full": "small-classifier"}


@app.command("backtest")
def backtest(
    data: Annotated[Path | None, typer.Option(help="CSV (also gzipped) or Parquet.")] = None,
    text: Annotated[str, typer.Option(metavar="COL[,COL]", help="Text columns.")] = "",
    label: Annotated[str, typer.Option(metavar="COL", help="The column to predict.")] = "",
    date: Annotated[str, typer.Option(metavar="COL", help="The column that dates a row.")] = "",
    deployment: Annotated[
        str | None, typer.Option(metavar=_NAME, help="On a server: its labelled requests.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar=_NAME, help="On a server: the policy of a deployment.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar=f"{_NAME}@VERSION", help="On a server: dated rows.")
    ] = None,
    purpose: Annotated[str | None, typer.Option(help="What for, with --dataset.")] = None,
    since: BacktestSince = None,
    *,
    period: Annotated[Unit, typer.Option(help="How long a period is.")] = Unit.MONTH,
    strategy: Annotated[
        list[str] | None, typer.Option(help=f"May be repeated: {', '.join(FORMS)}.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=0, help="cost-aware retrains at most so often.")
    ] = None,
    price: Annotated[
        float, typer.Option(min=0, help="cost-aware: a retraining's price in right answers.")
    ] = DEFAULT_PRICE_ANSWERS,
    label_delay: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Labels are known so many periods after theirs has ended; default: 0, on a server "
            "as many as they took.",
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="head: a linear one on hashed n-grams; full: a transformer.")
    ] = "head",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every period there.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where models' answers are kept; default: work folder.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
) -> None:
    """Replay a dated file: when each strategy would have retrained, and what it would have got.

    With --deployment, --policy or --dataset a server does it, with what was known when.
    """
    server = Server(url, token_file, deployment, policy, dataset, purpose, since)
    if server.is_asked:
        given: dict[str, object] = {
            "strategies": strategy,
            "period": str(period),
            "budget": budget,
            "seed": seed,
        }
        given |= {"price_answers": price, "label_delay": label_delay}
        result = replay_on_server(server, given | {"recipe_name": _server_recipe(recipe)})
        if json_file is not None:
            written(result, json_file)
        print_text(shown(result))
        return
    if data is None or not (text and label and date):
        raise Invalid(
            "say what to replay: --data FILE with --text, --label and --date, or on a server "
            "--deployment, --policy or --dataset"
        )
    settings = read_settings()
    chosen = _strategies(strategy or DEFAULT_STRATEGIES, budget, price)
    spec = RowSpec(tuple(part.strip() for part in text.split(",")), label, date)
    plain_recipe = _recipe(recipe)
    with tempfile.TemporaryDirectory() as folder, _progress() as watch:
        stream, _ = open_stream(
            data, spec, period, Path(folder), max_bytes=settings.max_upload_bytes
        )
        plan = Plan(stream.spans, label_delay or 0, stream.first_model())
        with Refits(
            stream,
            plain_recipe,
            seed=seed,
            cache=cache or settings.work_folder / "backtests",
            folder=Path(folder),
            processes=settings.threads,
        ) as refits:
            if isinstance(plain_recipe, HeadRecipe):
                first = stream.spans[plan.first_model]
                refits.recipe = regularised(refits, plain_recipe, first)
            outcomes = replay(plan, chosen, refits, watch)
    if json_file is not None:
        periods = {one.strategy: one.to_list() for one in outcomes}
        json_file.write_text(json.dumps(periods, indent=1) + "\n", encoding="utf-8")
    print_text(_shown(stream, plan, outcomes))


def _strategies(named: list[str], budget: int | None, price: float) -> list[Strategy | Hindsight]:
    chosen = [strategy_named(one, budget=budget, price_answers=price) for one in named]
    if budget is not None and "cost-aware" not in named:
        raise Invalid("--budget is for the cost-aware strategy: add --strategy cost-aware.")
    return list({one.name: one for one in chosen}.values())


def _server_recipe(name: str) -> str:
    _recipe(name)
    return _RECIPES[name]


def _recipe(name: str) -> Recipe:
    if name not in _RECIPES:
        raise Invalid(f"There is no recipe {name!r}. Choose from: {', '.join(_RECIPES)}.")
    return RECIPES[_RECIPES[name]]


@contextmanager
def _progress() -> Iterator[Watch]:
    """A bar on standard error while it works, where that is a terminal."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("reading", total=None)

        def watch(what: str, done: int, steps: int) -> None:
            progress.update(task, description=what, completed=done, total=steps)

        yield watch


def _shown(stream: Stream, plan: Plan, outcomes: list[Outcome]) -> RenderableType:
    headings = (
        "STRATEGY",
        "ACCURACY",
        "MACRO F1",
        "RECOVERED",
        "REGRET",
        "RETRAINS",
        "LABELS",
        "SECONDS",
    )
    rows = (
        (
            one.strategy,
            percent(one.accuracy),
            percent(one.macro_f1),
            percent(recovered_ratio(one, outcomes)),
            "-" if (regret := regret_answers(one, outcomes)) is None else f"{regret:,}",
            one.retrains,
            f"{one.labels:,}",
            f"{one.train_seconds:.1f}",
        )
        for one in outcomes
    )
    spans = stream.spans[plan.first_served :]
    told = [
        f"{spans[0].name} to {spans[-1].name}, {sum(one.rows for one in spans):,} rows answered."
    ]
    if empty := [span.name for span in spans if not span.rows]:
        told.append(f"{len(empty)} periods have no rows, the first {empty[0]}.")
    if stream.set_aside:
        told.append(f"{stream.set_aside:,} rows of the file could not be used.")
    return Group(table(headings, rows), *map(plain, told))
