"""Mail, chat and pagers through Apprise: the only file that knows it.

An Apprise URL (`slack://…`, `mailtos://…`, `pagerduty://…`) names the service and holds its
credentials, so the whole of it is a secret.
"""

import re

import apprise

from bailiwick.core.errors import Invalid
from bailiwick.notifications.messages import Message, NotDelivered
from bailiwick.notifications.quiet import hush

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,40})://")
# They act on the machine itself, or run what they are given.
_LOCAL = ("dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows")


def checked_url(url: str) -> str:
    """What may be shown of an Apprise URL, its scheme; `Invalid` if no service is behind it."""
    hush()
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[1] in _LOCAL or apprise.Apprise.instantiate(url) is None:
        raise Invalid(
            "this is no Apprise URL of a service on the network; see "
            "https://github.com/caronc/apprise/wiki for how each service is written"
        )
    return f"{scheme[1]}://"


def send(url: str, message: Message) -> None:
    """Send it once; `NotDelivered` unless the service took it. Apprise says no more than that."""
    hush()
    service = apprise.Apprise()
    if not service.add(url):
        raise NotDelivered("Apprise does not know this service; set the channel's URL anew")
    if not service.notify(title=message.title, body=message.text, body_format="text"):
        raise NotDelivered("the service did not take the message")
