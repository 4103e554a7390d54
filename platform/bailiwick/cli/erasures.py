"""`bailiwick deploy erase-texts`, `text-erasures`: texts about a subject are destroyed."""

from typing import Annotated

import typer
from rich.console import RenderableType

from bailiwick.cli.api_client import Cursor, Limit, command
from bailiwick.cli.output import facts, moment, page_table, short
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Page, TextErasure

app = typer.Typer()
DeploymentName = Annotated[
    str, typer.Argument(metavar="DEPLOYMENT", help="NAMESPACE/NAME, or the id.")
]


def _erased(_: Bailiwick, one: TextErasure) -> RenderableType:
    return facts(
        {
            "erased": moment(one["erased_at"]),
            "keys destroyed": one["keys"],
            "records without text now": one["records"],
            "rejected records as well": one["rejected_records"],
            "evidence": one["id"],
        }
    )


def _erasures(_: Bailiwick, page: Page[TextErasure]) -> RenderableType:
    rows = (
        (
            short(one["id"]),
            moment(one["erased_at"]),
            one["subject_key"][:12],
            one["records"],
            one["reason"],
        )
        for one in page["items"]
    )
    return page_table(page, ("ID", "ERASED", "SUBJECT", "RECORDS", "REASON"), rows)


@command(app, "erase-texts", show=_erased)
def erase_texts(
    client: Bailiwick,
    deployment: DeploymentName,
    reason: Annotated[str, typer.Option(help="Why; it is kept, so name nobody.")],
    subject: Annotated[
        str | None, typer.Option(help="As records name it; asked for if left out.")
    ] = None,
) -> TextErasure:
    """Destroy the texts about a subject for good; what their records measure stays."""
    named = subject or typer.prompt("Subject", hide_input=True)
    return client.deployments.erase_texts(deployment, named, reason=reason)


@command(app, "text-erasures", show=_erasures)
def list_text_erasures(
    client: Bailiwick, deployment: DeploymentName, limit: Limit = 50, cursor: Cursor = None
) -> Page[TextErasure]:
    """When texts were destroyed, newest first."""
    return client.deployments.text_erasures(deployment, limit=limit, cursor=cursor)
