"""`bailiwick audit`: verify and export the log, on the spot or from an export."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bailiwick.audit import checkpoints, leaves, sequence, verify_log
from bailiwick.audit.export import Header, verify, write
from bailiwick.core.clock import SystemClock
from bailiwick.core.errors import BailiwickError, Invalid
from bailiwick.core.settings import read_settings
from bailiwick.db.migrate import check_current
from bailiwick.lifecycle import Platform, open_platform

app = typer.Typer(no_args_is_help=True, help="Verify and export the audit log.")


class NotVerified(BailiwickError):
    """The log does not prove itself."""

    code = "audit-not-verified"


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("verify")
def verify_command(
    export: Annotated[
        Path | None, typer.Option(help="An export; default: this installation's database.")
    ] = None,
    vkey: Annotated[
        str | None, typer.Option(help="The log's public key, from a source you trust.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint kept earlier: the log must continue it.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Recompute the whole log and compare it with its signed checkpoints."""
    if export is not None:
        earlier = checkpoint.read_text(encoding="utf-8") if checkpoint else None
        try:
            with export.open("rb") as stream:
                report = asdict(verify(stream, trusted_vkey=vkey, earlier_checkpoint=earlier))
        except OSError as error:
            raise Invalid(f"{export} cannot be read ({error.strerror})") from error
        _print(report, as_json=as_json, where=str(export))
        return
    if vkey or checkpoint:
        raise Invalid("--vkey and --checkpoint go with --export: `bailiwick audit export` first")
    platform = _platform()
    _sign(platform)
    with platform.database.reading() as session:
        found = asdict(verify_log(session, platform.signer().verifier))
    _print(found, as_json=as_json, where="this installation's log")
    if not found["ok"]:
        raise NotVerified(f"the audit log was touched: {found['problem']}")


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Option(help="The file to write (NDJSON).")],
) -> None:
    """Write the whole log to a file that anyone can verify without this installation."""
    platform = _platform()
    _sign(platform)
    signer = platform.signer()
    try:
        with platform.database.reading() as session, out.open("wb") as stream:
            write(stream, Header(signer.name, signer.vkey), leaves(session), checkpoints(session))
    except OSError as error:
        raise Invalid(f"{out} cannot be written ({error.strerror})") from error
    typer.echo(f"Wrote {out}. Verify it anywhere: bailiwick audit verify --export {out}")
    typer.echo(f"Public key: {signer.vkey}")


def _platform() -> Platform:
    platform = open_platform(read_settings(), SystemClock())
    check_current(platform.database.engine)
    return platform


def _sign(platform: Platform) -> None:
    with platform.database.transaction() as session:
        sequence(session, platform.signer(), at=platform.clock.now())


def _print(report: dict[str, Any], *, as_json: bool, where: str) -> None:
    if as_json:
        typer.echo(json.dumps(report, default=str))
    elif report.get("problem") is None:
        typer.echo(
            f"Verified: {where} has {report['size']:,} events under "
            f"{report['checkpoints']:,} signed checkpoints, root {report['root']}"
        )
        if report.get("key_trusted") is False:
            typer.echo(
                "The key came from the export itself: pass --vkey with the key that you were "
                "given to know who signed it."
            )
