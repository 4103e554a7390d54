"""`bailiwick doctor`: what works here, what does not, and what to do about it."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import httpx
import typer

from bailiwick import __version__
from bailiwick.cli.api_client import Json, TokenFile, Url, connected
from bailiwick.cli.output import print_json, print_text, table
from bailiwick.client import Bailiwick
from bailiwick.core.errors import BailiwickError
from bailiwick.core.settings import Settings, read_settings

app = typer.Typer()

LOW_DISK_BYTES, FULL_DISK_BYTES = 2 * 1024**3, 100 * 1024**2
PROBE_SECONDS = 5.0
EXTRAS = {
    "train": ("torch", "transformers", "tokenizers", "safetensors"),
    "monitor": ("evidently", "pandas"),
}


@dataclass(frozen=True)
class Finding:
    """One check and what it found."""

    check: str
    result: Literal["ok", "warn", "fail"]
    detail: str


@app.command("doctor")
def doctor(*, as_json: Json = False, url: Url = None, token_file: TokenFile = None) -> None:
    """Check the API, your token, the model server, the data folder and what is installed."""
    settings = read_settings()
    findings = [*_of_api(url, token_file), _model_server(settings), *_of_machine(settings.home)]
    if settings.executor == "ray":
        findings += [_cluster(settings.ray_address or ""), _installed("ray", ("ray",))]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = ((found.check, found.result, found.detail) for found in findings)
        print_text(table(("CHECK", "RESULT", "DETAIL"), rows))
    if any(found.result == "fail" for found in findings):
        raise typer.Exit(1)


def _of_api(url: str | None, token_file: Path | None) -> Iterator[Finding]:
    checks: dict[str, Callable[[Bailiwick], Finding]] = {"API": _ready, "token": _signed_in}
    for name, check in checks.items():
        try:
            with connected(url, token_file) as client:
                yield check(client)
        except BailiwickError as error:
            yield Finding(name, "fail", error.message)
            return


def _ready(client: Bailiwick) -> Finding:
    answer = client.health()
    if answer.get("status") != "ready":
        detail = str(answer.get("detail", "what answers there is no Bailiwick API"))
        return Finding("API", "fail", f"{client.url} is not ready: {detail}")
    return Finding("API", "ok", f"{client.url} is ready")


def _signed_in(client: Bailiwick) -> Finding:
    principal = client.me()
    roles = sorted({held["role"] for held in principal["roles"]})
    if not roles:
        what_to_do = f"an admin grants them: bailiwick principal grant {principal['name']} ROLE"
        return Finding("token", "warn", f"{principal['name']} holds no roles; {what_to_do}")
    return Finding("token", "ok", f"{principal['name']} ({principal['kind']}): {', '.join(roles)}")


def _model_server(settings: Settings) -> Finding:
    address = settings.serving_url
    if address is None:
        return Finding("model server", "ok", "`bailiwick up` starts one of its own")
    try:
        answer = httpx.get(f"{address}/healthz", timeout=PROBE_SECONDS, trust_env=False)
        healthy = answer.is_success and answer.json() == {"status": "ok"}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        healthy = False
    if healthy:
        return Finding("model server", "ok", f"{address} answers")
    what_to_do = "start it with `bailiwick serve`, or correct BAILIWICK_SERVING_URL"
    return Finding("model server", "fail", f"{address} does not answer; {what_to_do}")


def _cluster(address: str) -> Finding:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, ValueError):
        what_to_do = "start it with `ray start --head`, or correct BAILIWICK_RAY_ADDRESS"
        return Finding("executor", "fail", f"no Ray cluster answers at {address!r}; {what_to_do}")
    return Finding("executor", "ok", f"a Ray cluster at {address}")


def _of_machine(home: Path) -> Iterator[Finding]:
    yield _folder(home)
    yield _disk(home)
    yield Finding("bailiwick", "ok", __version__)
    for extra, packages in EXTRAS.items():
        yield _installed(extra, packages)


def _folder(home: Path) -> Finding:
    """The data folder, or the one that it would be made in."""
    where = home.resolve()
    if where.exists() and not where.is_dir():
        return Finding("data folder", "fail", f"{where} is no folder; set BAILIWICK_HOME to one")
    if not os.access(_standing(where), os.W_OK | os.X_OK):
        return Finding(
            "data folder", "fail", f"{where} cannot be written; allow it, or set BAILIWICK_HOME"
        )
    if not where.exists():
        return Finding("data folder", "warn", f"{where} is not there yet; `bailiwick up` makes it")
    return Finding("data folder", "ok", str(where))


def _disk(home: Path) -> Finding:
    free_bytes = shutil.disk_usage(_standing(home.resolve())).free
    said = f"{free_bytes / 1024**3:,.1f} GiB free"
    if free_bytes < FULL_DISK_BYTES:
        return Finding("disk", "fail", f"{said}; make room, or set BAILIWICK_HOME to another disk")
    if free_bytes < LOW_DISK_BYTES:
        return Finding("disk", "warn", f"{said}; uploads and trainings may fill it")
    return Finding("disk", "ok", said)


def _installed(extra: str, packages: tuple[str, ...]) -> Finding:
    versions, missing = [], []
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        what_to_do = f"where this machine should do that: pip install 'bailiwick[{extra}]'"
        return Finding(extra, "warn", f"{', '.join(missing)} not installed; {what_to_do}")
    return Finding(extra, "ok", ", ".join(versions))


def _standing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())
