"""The console: server-rendered pages over the same use cases and policy as the API.

No page needs JavaScript or fetches anything from elsewhere. Each page is a governed route that
names its action, so it hides what the API hides; the forms call the use cases that the API
calls. Errors under `/console` are pages, everywhere else they stay problem documents.
"""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles

from bailiwick.console.pages import (
    access,
    alerts,
    approvals,
    audit,
    backtests,
    channels,
    datasets,
    decisions,
    delegations,
    deployments,
    evaluation,
    jobs,
    models,
    overview,
    policies,
    rollouts,
    silences,
    waivers,
)
from bailiwick.console.sign_in import make_last_router, make_open_router
from bailiwick.console.single_sign_on import make_single_sign_on_router

__all__ = ["STATIC_PATH", "make_router", "static_app"]

STATIC_PATH = "/console/static"
_STATIC = Path(__file__).parent / "static"
_SECTIONS = (
    overview,
    deployments,
    rollouts,
    models,
    evaluation,
    datasets,
    alerts,
    silences,
    channels,
    jobs,
    backtests,
    approvals,
    delegations,
    waivers,
    decisions,
    policies,
    access,
    audit,
)


def make_router() -> APIRouter:
    """All pages, and `/`. Mount `static_app()` at `STATIC_PATH` before including this."""
    router = APIRouter(tags=["console"], include_in_schema=False)

    @router.get("/")
    def home() -> RedirectResponse:
        return RedirectResponse("/console")

    router.include_router(make_open_router())
    router.include_router(make_single_sign_on_router())
    for section in _SECTIONS:
        router.include_router(section.router)
    router.include_router(make_last_router())
    return router


def static_app() -> StaticFiles:
    """The style sheet, the script and the icon."""
    return StaticFiles(directory=_STATIC)
