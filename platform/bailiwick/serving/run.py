"""The model server's process: `python -m bailiwick.serving.run`.

It reads the registry for a version's manifest and the blob store for its files; it decides
nothing. Start it through `bailiwick serve`.
"""

import argparse
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import uvicorn

from bailiwick.blobs import BlobStore
from bailiwick.core.errors import BailiwickError, Invalid, NotFound
from bailiwick.core.logs import configure_logging
from bailiwick.core.settings import Settings, read_settings
from bailiwick.db import Database, make_engine
from bailiwick.registry import ModelVersion, materialise
from bailiwick.serving.app import create_app


def fetcher(settings: Settings) -> Callable[[str], Path]:
    """A function from a version's id to the folder of its verified files."""
    database = Database(make_engine(settings.resolved_database_url))
    blobs = BlobStore(settings.blob_folder)
    folder = settings.work_folder / "artifacts"

    def fetch(version_id: str) -> Path:
        with database.reading() as session:
            version = session.get(ModelVersion, UUID(version_id))
            if version is None:
                raise NotFound("there is no such model version")
            return materialise(version, blobs, folder)

    return fetch


def _end_with_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="bailiwick serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8322)
    parser.add_argument("--watch-parent", action="store_true")
    options = parser.parse_args()
    configure_logging(json_lines=True)
    settings = read_settings()
    if settings.serving_secret is None:
        raise Invalid("set BAILIWICK_SERVING_SECRET, the same for the API and the model server")
    if options.watch_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    app = create_app(
        fetch=fetcher(settings),
        secret=settings.serving_secret.get_secret_value(),
        threads=settings.threads,
    )
    uvicorn.run(app, host=options.host, port=options.port, log_config=None, access_log=False)


if __name__ == "__main__":
    try:
        main()
    except BailiwickError as error:
        sys.stderr.write(f"bailiwick serve: {error.message}\n")
        sys.exit(2)
