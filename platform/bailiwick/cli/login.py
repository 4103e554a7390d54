"""`bailiwick login`, `logout`, `whoami`: single sign-on for the command line (RFC 8628)."""

from time import monotonic, sleep
from typing import Annotated, Any

import typer

from bailiwick.access.discovery import Metadata, ProviderUnavailable, discover, submit
from bailiwick.cli.api_client import Url, command, connected
from bailiwick.cli.principals import show_me
from bailiwick.cli.sign_ins import SignIn, forget, keep
from bailiwick.client import Bailiwick
from bailiwick.client.shapes import Me, ProtectedResource
from bailiwick.core.errors import Conflict, Denied, Unauthenticated, Unavailable

app = typer.Typer()

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
FIRST_INTERVAL_SECONDS = 5  # RFC 8628, 3.2: where the provider does not say
MORE_PATIENCE_SECONDS = 5  # RFC 8628, 3.5: what `slow_down` adds
DEFAULT_LIFETIME_SECONDS = 600


@app.command("login")
def login(
    *,
    url: Url = None,
    client_id: Annotated[
        str | None,
        typer.Option(
            help="A public client at the provider, with the device flow; needed where the one "
            "that the API names has a secret."
        ),
    ] = None,
) -> None:
    """Sign in at the OpenID provider in a browser, on this machine or another."""
    with connected(url, anonymously=True) as client:
        resource, address = client.sign_in_methods(), client.url
    named = resource.get("resource", "nothing")
    if named.rstrip("/") != address.rstrip("/"):  # RFC 9728, 3.3
        raise Conflict(
            f"what answers at {address} calls itself {_plain(named)}: use that address, or let the "
            "proxy in between pass on Host and X-Forwarded-Proto (BAILIWICK_TRUSTED_PROXIES)"
        )
    issuers = resource.get("authorization_servers")
    if not issuers:
        raise Conflict(
            f"{address} has no single sign-on: set BAILIWICK_TOKEN to an API token, which an "
            "administrator makes with `bailiwick token create NAME`"
        )
    client_name = client_id or resource.get("client_id", "")
    answer = _granted(discover(issuers[0]), client_name, resource)
    file = keep(address, SignIn.granted(answer, issuer=issuers[0], client_id=client_name))
    with connected(address) as client:
        name = client.me()["name"]
    typer.echo(f"You are signed in at {address} as {name}. The tokens are in {file}.")


@app.command("logout")
def logout(
    *,
    url: Url = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="End your console sessions in all browsers, too.")
    ] = False,
) -> None:
    """Forget the sign-in of this machine."""
    with connected(url) as client:
        if everywhere:
            client.sign_out_everywhere()
        address = client.url
    was_in = forget(address)
    typer.echo(f"You are signed out of {address}." if was_in else "You were not signed in.")


@command(app, "whoami", show=show_me)
def whoami(client: Bailiwick) -> Me:
    """Who you are to the API, and what you hold."""
    return client.me()


def _granted(metadata: Metadata, client_id: str, resource: ProtectedResource) -> dict[str, Any]:
    """The token response, once somebody has confirmed the code in a browser."""
    if metadata.device_authorization_endpoint is None:
        raise Conflict(
            f"{metadata.issuer} has no device flow (RFC 8628); set BAILIWICK_TOKEN to an API token"
        )
    asked = {"client_id": client_id, "scope": metadata.scope("email", "groups", "offline_access")}
    audience = resource.get("audience", client_id)
    if audience != client_id:
        asked["audience"] = audience
    granted, device = submit(metadata.device_authorization_endpoint, asked)
    if not granted or not {"device_code", "user_code", "verification_uri"} <= device.keys():
        raise Denied(
            f"{metadata.issuer} does not let the client {client_id!r} sign in from a command "
            f"line ({_plain(device.get('error', 'no code'))}); allow it the device flow there, as "
            "a public client"
        )
    where = device.get("verification_uri_complete") or device["verification_uri"]
    typer.echo(f"Open {_plain(where)} in a browser and confirm the code", err=True)
    typer.secho(f"  {_plain(device['user_code'])}", bold=True, err=True)
    return _polled(metadata, client_id, device)


def _polled(metadata: Metadata, client_id: str, device: dict[str, Any]) -> dict[str, Any]:
    interval = int(device.get("interval", FIRST_INTERVAL_SECONDS))
    deadline = monotonic() + int(device.get("expires_in", DEFAULT_LIFETIME_SECONDS))
    form = {
        "grant_type": DEVICE_GRANT,
        "device_code": str(device["device_code"]),
        "client_id": client_id,
    }
    while monotonic() < deadline:
        sleep(interval)
        try:
            granted, answer = submit(metadata.token_endpoint, form)
        except ProviderUnavailable:
            interval *= 2
            continue
        if granted and "access_token" in answer:
            return answer
        match answer.get("error"):
            case "authorization_pending":
                pass
            case "slow_down":
                interval += MORE_PATIENCE_SECONDS
            case "access_denied":
                raise Denied("the sign-in was refused in the browser; nothing was changed")
            case "expired_token":
                break
            case error:
                raise Unavailable(f"{metadata.issuer} does not sign in ({_plain(error)})")
    raise Unauthenticated("nobody confirmed the code in time; run `bailiwick login` again")


def _plain(told: object) -> str:
    """The provider's words without control characters, which could repaint a terminal."""
    return "".join(char for char in str(told) if char.isprintable())
