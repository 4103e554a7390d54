"""`bailiwick demo`: the whole story, on invented transactions or on a file of yours."""

import contextlib
import json
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bailiwick.cli.purchases import write_purchases
from bailiwick.cli.story import Columns, Stage, Story, Traffic, load_traffic, set_stage
from bailiwick.core.clock import ReplayClock
from bailiwick.core.errors import Invalid
from bailiwick.core.logs import configure_logging
from bailiwick.core.settings import read_settings

app = typer.Typer()
HOME = Path("bailiwick-demo")
SEED = 7
DEFAULT_PORT = 8321


@app.command("demo")
def demo(
    data: Annotated[Path | None, typer.Option(help="CSV (also gzipped) or Parquet.")] = None,
    text: Annotated[str, typer.Option(help="Text columns.")] = "merchant,cost_centre",
    label: Annotated[str, typer.Option(help="The column to predict.")] = "category",
    date: Annotated[str, typer.Option(help="The column that dates a row.")] = "date",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result there, too.")
    ] = None,
    home: Annotated[Path, typer.Option(help="An empty folder to work in.")] = HOME,
    port: Annotated[int, typer.Option(help="Port of API and console; 0: a free one.")] = 0,
    history_quarters: Annotated[
        int, typer.Option(min=1, help="Quarters to learn from before the story begins.")
    ] = 3,
    rows_per_quarter: Annotated[
        int, typer.Option(min=100, help="At most so many rows of each later quarter.")
    ] = 1_500,
    *,
    keep_up: Annotated[
        bool | None,
        typer.Option(help="Stay up at the end, to look around; default: in a terminal."),
    ] = None,
) -> None:
    """Data, training, approval, deployment, drift, alert, retraining, proof: in minutes."""
    settings = read_settings(home=home, port=port)
    configure_logging(json_lines=False, level="ERROR")
    console = Console()
    if home.exists() and any(home.iterdir()):
        raise Invalid(
            f"{home} is not empty; choose another folder with --home, or delete it: rm -r {home}"
        )
    columns = Columns(tuple(part.strip() for part in text.split(",")), label, date)
    with tempfile.TemporaryDirectory() as folder:
        traffic = _traffic(data, columns, Path(folder), history_quarters, rows_per_quarter)
        clock = ReplayClock(traffic.history_end + timedelta(days=1))
        with set_stage(settings, clock) as stage:
            console.print(f"Fresh installation in {settings.home.resolve()}")
            console.print(
                f"First admin token, shown this once: {stage.admin_token}", soft_wrap=True
            )
            story = Story(stage, traffic, console)
            ledger = _tell(story, console)
            if json_file is not None:
                json_file.write_text(json.dumps(ledger, indent=2) + "\n", encoding="utf-8")
            stay = console.is_terminal if keep_up is None else keep_up
            _close(console, stage, story, stay=stay)


def _traffic(
    data: Path | None, columns: Columns, folder: Path, quarters: int, rows: int
) -> Traffic:
    source = data
    if source is None:
        source = folder / "purchases.csv"
        write_purchases(source, seed=SEED)
        # A few rows as careless exports have them, to be kept aside.
        with source.open("a", encoding="utf-8") as stream:
            stream.write("2021-02-30,corner shop,Fleet,12.00,Groceries\n")
            stream.write("2021-03-02,corner shop,Fleet,12.00,\n")
            stream.write("2021-03-03,corner shop,Fleet\n")
    return load_traffic(
        source,
        columns,
        folder,
        history_quarters=quarters,
        rows_per_quarter=rows,
        seed=SEED,
    )


def _tell(story: Story, console: Console) -> dict[str, object]:
    for act in (
        story.cast,
        story.register_data,
        story.train_first,
        story.approve_and_deploy,
        story.watch,
        story.play,
        story.reject_one,
        story.upheaval,
    ):
        act()
    ledger = story.conclude()
    ledger.show(console)
    return ledger.to_dict()


def _close(console: Console, stage: Stage, story: Story, *, stay: bool) -> None:
    settings = stage.platform.settings
    path = f"/console/deployments/{story.governed_id}"
    if not stay:
        address = f"http://{settings.host}:{DEFAULT_PORT}"
        console.print(f"See it all: bailiwick up --home {settings.home}")
        console.print(f"then {address}{path} (sign in with the token above).", soft_wrap=True)
        return
    console.print(f"See it all: {stage.url}{path} (sign in with the token above).", soft_wrap=True)
    console.print("Ctrl-C ends the demo; `bailiwick up --home` with this folder brings it back.")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
