"""What a message says. Pure.

It is made of ids, states, times and names that were chosen for things; no sentence of a check, no
reason that somebody gave and no text of a row can get into one. A channel that is not cleared for
the deployment's label learns a severity and where to look, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bailiwick.core.errors import BailiwickError

MOVES = {
    "raised": "raised",
    "reopened": "is back",
    "worsened": "got worse",
    "resolved": "is over",
}
RESOLVED, TRIAL, SERVE = "resolved", "trial", "serve"
SERVE_KIND = "deployment.serve"


class NotDelivered(BailiwickError):
    """The message did not arrive, or nobody said that it did; the sentence holds no secret."""

    code = "not-delivered"


@dataclass(frozen=True, slots=True)
class Message:
    """A title and a text for people, `data` for programs."""

    kind: str
    title: str
    text: str
    data: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The body of a webhook."""
        return {"type": self.kind, "data": {"text": self.text, **self.data}}


def message_of(
    facts: Mapping[str, Any], *, severity: str, name: str | None, message_id: str, link: str
) -> Message:
    """The message of one event; `name` is the deployment's, None if the channel may not know it."""
    if facts["move"] == TRIAL:
        return Message(TRIAL, "Bailiwick: a trial", f"This channel works. Message {message_id}", {})
    if facts["move"] == SERVE:
        return _serving(facts, name, link)
    if name is None:
        over = " is over" if facts["move"] == RESOLVED else ""
        title = f"an alert of severity {severity}{over}"
        return Message("alert", title, f"{title}: see {link}", {"severity": severity, "link": link})
    what = f"{facts['kind']} on {name} {MOVES[facts['move']]}"
    lines = [what, f"cause: {facts['cause']}", f"since: {facts['since']}", f"see: {link}"]
    return Message(
        f"alert.{facts['move']}",
        f"[{severity}] {what}",
        "\n".join([*lines, f"message: {message_id}"]),
        {**facts, "severity": severity, "deployment": name, "link": link},
    )


def _serving(facts: Mapping[str, Any], name: str | None, link: str) -> Message:
    """Which version should serve; a channel that may not know of whom only learns where to look."""
    title = f"the version to serve{f' of {name}' if name else ''} changed"
    data = {**facts, "deployment": name, "link": link} if name else {"link": link}
    return Message(SERVE_KIND, title, f"{title}: see {link}", data)
