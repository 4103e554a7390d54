"""The `bailiwick` command: a table of commands, each loaded when it is used.

Loading all of them would take seconds; `--help` shows the table's own lines.
"""

import sys
from importlib import import_module
from typing import Annotated

import typer

from bailiwick import __version__
from bailiwick.core.errors import BailiwickError, Invalid, Unauthenticated, Unavailable

# command: (module, help). Each module has a Typer `app`.
COMMANDS = {
    "up": ("bailiwick.cli.up", "Migrate, then run API, console, scheduler and worker."),
    "demo": ("bailiwick.cli.demo", "The whole story on months of transactions, in minutes."),
    "api": ("bailiwick.cli.servers", "Run the API and console alone."),
    "worker": ("bailiwick.cli.servers", "Run the scheduler and worker alone."),
    "serve": ("bailiwick.cli.serve", "Run the model server alone."),
    "db": ("bailiwick.cli.database", "Create and upgrade the database."),
    "login": ("bailiwick.cli.login", "Sign in with single sign-on."),
    "logout": ("bailiwick.cli.login", "Forget that sign-in."),
    "whoami": ("bailiwick.cli.login", "Who you are to the API."),
    "model": ("bailiwick.cli.models", "Models, versions, promotion and rollback."),
    "dataset": ("bailiwick.cli.datasets", "Datasets and their versions."),
    "train": ("bailiwick.cli.training", "Train a version of a model."),
    "deploy": ("bailiwick.cli.deployments", "Environments and deployments."),
    "monitor": ("bailiwick.cli.monitors", "What is watched, and what the checks found."),
    "breaches": ("bailiwick.cli.breaches", "Deployments that are out of policy."),
    "labelling": ("bailiwick.cli.labelling", "Requests that are worth a label."),
    "alert": ("bailiwick.cli.alerts", "Alerts."),
    "retrain": ("bailiwick.cli.retraining", "Retraining policies, and retraining by hand."),
    "backtest": ("bailiwick.cli.backtest", "What a retraining strategy would have done."),
    "job": ("bailiwick.cli.jobs", "Jobs."),
    "lineage": ("bailiwick.cli.lineage", "What was made from what."),
    "policy": ("bailiwick.cli.policies", "The rules in force, and decisions explained."),
    "approval": ("bailiwick.cli.approvals", "Approvals by other people."),
    "delegation": ("bailiwick.cli.delegations", "Approvers' voices, lent for a time."),
    "waiver": ("bailiwick.cli.waivers", "Exceptions that others approved, for a time."),
    "audit": ("bailiwick.cli.audit", "Verify and export the audit log."),
    "principal": ("bailiwick.cli.principals", "People, services and their roles."),
    "group": ("bailiwick.cli.groups", "Groups, their members and roles."),
    "token": ("bailiwick.cli.tokens", "API tokens."),
    "access-review": ("bailiwick.cli.access_review", "Who can do what on what, and who used it."),
    "texts": ("bailiwick.cli.texts", "The key under which kept texts are encrypted."),
    "doctor": ("bailiwick.cli.doctor", "Check this installation."),
}
EXIT_FAILED, EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_UNAUTHENTICATED = 1, 2, 3, 4


def build(arguments: list[str]) -> typer.Typer:
    """The command line with the one command that `arguments` name really loaded.

    The others are there by name and help only, which is all that `--help` shows of them.
    """
    root = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Bailiwick: governance and lifecycle of private small language models.",
    )
    root.callback(invoke_without_command=True)(_options)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for command, (module, text) in COMMANDS.items():
        if command == named:
            _attach(root, command, import_module(module).app)
        else:
            root.command(command, help=text)(_listed_only)
    return root


def _attach(root: typer.Typer, command: str, app: typer.Typer) -> None:
    own = [known for known in app.registered_commands if known.name == command]
    if own:  # the module's app holds this command itself, perhaps beside others
        root.registered_commands.append(own[0])
    else:
        root.add_typer(app, name=command)


def _listed_only() -> None:
    """Stands for a command that was not named."""


def _options(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"bailiwick {__version__}")
        raise typer.Exit


def exit_code_of(error: BailiwickError) -> int:
    """The exit code of an expected failure."""
    match error:
        case Unavailable():
            return EXIT_UNAVAILABLE
        case Unauthenticated():
            return EXIT_UNAUTHENTICATED
        case Invalid():
            return EXIT_USAGE
        case _:
            return EXIT_FAILED


def main() -> None:
    """Run the command line; an expected failure is one sentence and an exit code."""
    try:
        build(sys.argv[1:])()
    except BailiwickError as error:
        typer.secho(f"bailiwick: {error.message}", err=True, fg=typer.colors.RED)
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        sys.exit(130)
