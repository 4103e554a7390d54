"""`/deployments/{id}/comparisons`: what tells two spans of a deployment's traffic apart."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from bailiwick.api.deployments import governed_deployment
from bailiwick.api.jobs import JobOut
from bailiwick.api.schemas import Body
from bailiwick.lifecycle.traffic_comparisons import order_comparison
from bailiwick.monitoring.comparisons import Span
from bailiwick.web import Governed, GovernedRoute, acts

router = APIRouter(prefix="/deployments", tags=["watching"], route_class=GovernedRoute)


class SpanIn(Body):
    """Requests with start <= at < end, in whole hours (UTC)."""

    start: datetime
    end: datetime


class ComparisonIn(Body):
    """Two spans of traffic, one after the other."""

    before: SpanIn
    after: SpanIn
    texts: bool = Field(
        False,
        description="Compare words as well, where texts are kept. Which words differ is not told.",
    )


@router.post("/{deployment_id}/comparisons", status_code=202, **acts("check:run"))
def compare(deployment_id: UUID, body: ComparisonIn, caller: Governed) -> JobOut:
    """Train a classifier to tell the spans apart, on the hours' samples; a job says how well.

    Its result: `area` under the ROC curve (0.5 is chance, 1 tells every row) with a 95 % interval
    `lower`, `upper`; `features` that it goes by with the area that is lost without each; the same
    of `texts`; `rows` and `hours` of each span, `library` and `summary`.
    """
    deployment = governed_deployment(caller, deployment_id)
    before, after = (Span.of(one.start, one.end) for one in (body.before, body.after))
    job = order_comparison(
        caller.session,
        deployment,
        before,
        after,
        with_texts=body.texts,
        actor_id=caller.principal_id,
        at=caller.at,
    )
    return JobOut.model_validate(job)
