"""`bailiwick up`: everything in one go on the embedded default."""

from pathlib import Path
from typing import Annotated

import typer

from bailiwick.cli.application import create_application, listen, server_of
from bailiwick.cli.first_start import prepare
from bailiwick.cli.model_server import ModelServer
from bailiwick.core.clock import SystemClock
from bailiwick.core.garbage import leave_what_is_loaded
from bailiwick.core.logs import configure_logging
from bailiwick.core.settings import read_settings
from bailiwick.lifecycle import open_platform
from bailiwick.serving import Gateway
from bailiwick.worker import Worker

app = typer.Typer()


@app.command("up")
def up(
    home: Annotated[Path | None, typer.Option(help="The data folder [BAILIWICK_HOME].")] = None,
    host: Annotated[str | None, typer.Option(help="Address [BAILIWICK_HOST].")] = None,
    port: Annotated[int | None, typer.Option(help="Port [BAILIWICK_PORT].")] = None,
) -> None:
    """Migrate, then run API, console, scheduler, worker and model server. Ctrl-C stops all."""
    settings = read_settings(home=home, host=host, port=port)
    configure_logging(json_lines=False, level="WARNING")
    listener = listen(settings.host, settings.port)  # first: a taken port should change nothing
    platform = open_platform(settings, SystemClock())
    token = prepare(platform)
    port_taken = listener.getsockname()[1]
    with ModelServer(settings) as models:
        application = create_application(platform, Gateway(models.url, models.secret))
        worker = Worker(platform)
        worker.start()
        address = f"http://{settings.host}:{port_taken}"
        typer.echo(f"Bailiwick is up. Console: {address}/console   API: {address}/docs")
        typer.echo(f"Data: {settings.home.resolve()}")
        if token is not None:
            typer.secho("First admin token, shown this once:", bold=True)
            typer.echo(f"  export BAILIWICK_TOKEN={token}")
        leave_what_is_loaded()
        try:
            server_of(application, trusted_proxies=settings.trusted_proxies).run(sockets=[listener])
        finally:
            worker.stop()
