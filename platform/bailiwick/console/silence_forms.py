"""What one fills in to silence something, and what is in it when it begins at an alert."""

from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from bailiwick.console.forms import MINUTE, clock_of, moment_of
from bailiwick.core.errors import Invalid
from bailiwick.monitoring import Alert
from bailiwick.notifications import Weekly
from bailiwick.notifications.silences import POLICY
from bailiwick.registry import Deployment

OFFERED = timedelta(hours=4)


class SilenceForm(BaseModel):
    """A new silence, as typed. `place`: `*`, NAMESPACE or NAMESPACE/NAME of a deployment."""

    place: str = ""
    cause: str = ""
    covers_policy: bool = False
    reason: str = ""
    starts_at: str = ""
    ends_at: str = ""
    weekdays: list[str] = Field(default_factory=list)
    begins: str = ""
    ends: str = ""
    zone: str = "UTC"
    alert: str = ""  # where the form was opened, to go back to

    def starts(self) -> datetime | None:
        """When it begins; None: at once."""
        return moment_of("its beginning", self.starts_at) if self.starts_at.strip() else None

    def end(self) -> datetime:
        """When it ends; `Invalid` if that was left out."""
        if not self.ends_at.strip():
            raise Invalid("say when it ends; a silence always does")
        return moment_of("its end", self.ends_at)

    def weekly(self) -> Weekly | None:
        """The hours of each week that it is narrowed to; None if it is not."""
        if not (self.weekdays or self.begins or self.ends):
            return None
        if not (self.weekdays and self.begins and self.ends):
            raise Invalid(
                "some hours of each week take all three: the days, when they begin and when they "
                "end; leave all of them empty to be silent all the time"
            )
        begins = clock_of("the beginning of its hours", self.begins)
        ends = clock_of("the end of its hours", self.ends)
        return Weekly(frozenset(self.weekdays), begins, ends, self.zone.strip())


def offered(at: datetime, place: str = "") -> SilenceForm:
    """A new silence before anything was typed."""
    return SilenceForm(place=place, ends_at=f"{at + OFFERED:{MINUTE}}")


def about(alert: Alert, deployment: Deployment, at: datetime) -> SilenceForm:
    """One that would hold this alert back: its deployment and cause, whatever its source."""
    return offered(at).model_copy(
        update={
            "place": f"{deployment.namespace}/{deployment.name}",
            "cause": alert.cause,
            "covers_policy": alert.source == POLICY,
            "alert": str(alert.id),
        }
    )
