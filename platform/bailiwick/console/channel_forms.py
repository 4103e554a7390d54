"""What one fills in about a channel. Addresses and secrets go in and are never sent back."""

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from sqlalchemy.orm import Session

from bailiwick.access import checked_name
from bailiwick.console.forms import one_of, text_of, whole_of, words_of
from bailiwick.core.errors import Invalid
from bailiwick.notifications import Channel, Severity, Target, Terms
from bailiwick.notifications.channels import WEBHOOK, terms_of

APPRISE = "apprise"
KINDS = {
    WEBHOOK: "Webhook: signed JSON to an https address",
    APPRISE: "Apprise: mail, Slack, Teams, PagerDuty and many more",
}
MAX_ADDRESS, MAX_SECRET = 2_000, 200


class TermsForm(BaseModel):
    """Which messages a channel gets and how much they may say, as typed."""

    clearance_level: str = ""
    clearance_compartments: list[str] = Field(default_factory=list)
    severities: list[str] = Field(default_factory=list)
    namespaces: str = ""
    deployments: str = ""
    is_default: bool = False
    escalate_to: str = ""
    escalate_after_minutes: str = ""

    def terms(self, *, enabled: bool) -> Terms:
        """What was typed, read; `Invalid` says what cannot be."""
        minutes = self.escalate_after_minutes.strip()
        return Terms(
            clearance_level=self.clearance_level,
            clearance_compartments=tuple(self.clearance_compartments),
            severities=tuple(self.severities),
            namespaces=tuple(
                checked_name(one, f"namespace {one!r}") for one in words_of(self.namespaces)
            ),
            deployments=tuple(map(_deployment, words_of(self.deployments))),
            is_default=self.is_default,
            escalate_to=self.escalate_to or None,
            escalate_after_minutes=whole_of("after how many minutes", minutes) if minutes else None,
            enabled=enabled,
        )


class TargetForm(BaseModel):
    """Where messages go, as typed."""

    kind: str = WEBHOOK
    address: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")

    def target(self) -> Target:
        """What was typed, read; `Invalid` says what cannot be, without repeating it."""
        kind: Literal["apprise", "webhook"] = (
            "webhook" if one_of("kind", self.kind, KINDS) == WEBHOOK else "apprise"
        )
        address = text_of("address", self.address.get_secret_value(), longest=MAX_ADDRESS)
        secret = text_of("secret", self.secret.get_secret_value(), longest=MAX_SECRET)
        return Target(kind, address, secret or None)


class ChannelForm(TargetForm, TermsForm):
    """A new channel, as typed."""

    name: str = ""


class ChangesForm(TermsForm):
    """What a channel is to be like; `revision` is the one that was looked at."""

    revision: str = ""


def offered(level: str) -> ChannelForm:
    """A new channel before anything was typed: for everything, and cleared for `level`."""
    return ChannelForm(clearance_level=level, severities=list(Severity))


def filled(session: Session, channel: Channel) -> ChangesForm:
    """A channel as it stands."""
    terms = asdict(terms_of(session, channel))
    minutes = terms["escalate_after_minutes"]
    return ChangesForm(
        clearance_level=terms["clearance_level"],
        clearance_compartments=list(terms["clearance_compartments"]),
        severities=list(terms["severities"]),
        namespaces=", ".join(terms["namespaces"]),
        deployments=", ".join(terms["deployments"]),
        is_default=terms["is_default"],
        escalate_to=terms["escalate_to"] or "",
        escalate_after_minutes="" if minutes is None else str(minutes),
        revision=str(channel.revision),
    )


def _deployment(typed: str) -> str:
    namespace, slash, name = typed.partition("/")
    if not slash:
        raise Invalid(f"a deployment reads NAMESPACE/NAME; {typed!r} has no slash")
    checked_name(namespace, f"namespace of {typed!r}")
    checked_name(name, f"name of {typed!r}")
    return typed
