"""`bailiwick serve`: becomes the model server, the one process that loads torch to answer."""

import os
import sys
from typing import Annotated

import typer

from bailiwick.core.settings import read_settings

app = typer.Typer()
MODULE = "bailiwick.serving.run"


@app.command("serve")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8322,
) -> None:
    """Run the model server alone; set BAILIWICK_SERVING_SECRET."""
    command = [sys.executable, "-m", MODULE, f"--host={host}", f"--port={port}"]
    environment = os.environ | {"OMP_NUM_THREADS": str(read_settings().threads)}
    os.execve(sys.executable, command, environment)  # noqa: S606 - this process becomes it
