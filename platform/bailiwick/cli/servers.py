"""`bailiwick api`, `bailiwick worker`: the processes of an installation, one at a time."""

import signal
import threading
from typing import Annotated

import typer

from bailiwick.cli.application import create_application, listen, server_of
from bailiwick.core.clock import SystemClock
from bailiwick.core.errors import Invalid
from bailiwick.core.garbage import leave_what_is_loaded
from bailiwick.core.logs import configure_logging
from bailiwick.core.settings import read_settings
from bailiwick.db.migrate import check_current
from bailiwick.lifecycle import open_platform
from bailiwick.serving import Gateway
from bailiwick.worker import Worker

app = typer.Typer(no_args_is_help=True)

Host = Annotated[str | None, typer.Option(help="Address to listen on [BAILIWICK_HOST].")]
Port = Annotated[int | None, typer.Option(help="Port to listen on [BAILIWICK_PORT].")]


@app.command("api")
def api_command(host: Host = None, port: Port = None) -> None:
    """Run the API and console alone, on a database that has been upgraded."""
    settings = read_settings(host=host, port=port)
    configure_logging(json_lines=True)
    if settings.serving_url is None or settings.serving_secret is None:
        raise Invalid(
            "set BAILIWICK_SERVING_URL and BAILIWICK_SERVING_SECRET to those of a model server "
            "(`bailiwick serve`); `bailiwick up` starts one by itself"
        )
    platform = open_platform(settings, SystemClock())
    check_current(platform.database.engine)
    platform.check_continuity()
    gateway = Gateway(settings.serving_url, settings.serving_secret.get_secret_value())
    listener = listen(settings.host, settings.port)
    application = create_application(platform, gateway)
    leave_what_is_loaded()
    server_of(application, trusted_proxies=settings.trusted_proxies).run(sockets=[listener])


@app.command("worker")
def worker_command() -> None:
    """Run the scheduler and worker alone; any number may run beside each other."""
    configure_logging(json_lines=True)
    platform = open_platform(read_settings(), SystemClock())
    check_current(platform.database.engine)
    platform.check_continuity()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    worker = Worker(platform)
    worker.start()
    stopped.wait()
    worker.stop()
