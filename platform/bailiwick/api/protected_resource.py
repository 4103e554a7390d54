"""`/.well-known/oauth-protected-resource`: how one signs in here (RFC 9728)."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from bailiwick.lifecycle.platform import Platform
from bailiwick.web.problem import RESOURCE_METADATA

router = APIRouter(tags=["access"])


class ProtectedResourceOut(BaseModel):
    """RFC 9728 metadata; `audience` and `client_id` are members of ours."""

    resource: str
    resource_name: str = "Bailiwick"
    bearer_methods_supported: list[str] = ["header"]
    authorization_servers: list[str] | None = None
    audience: str | None = None
    client_id: str | None = None


@router.get(RESOURCE_METADATA, response_model_exclude_none=True)
def protected_resource(request: Request) -> ProtectedResourceOut:
    """Which OpenID provider signs people in, and as which of its clients. Needs no token."""
    platform: Platform = request.app.state.platform
    told = ProtectedResourceOut(resource=f"{request.base_url}".rstrip("/"))
    if platform.provider is not None:
        told.authorization_servers = [platform.provider.issuer]
        told.audience = platform.provider.audience
        told.client_id = platform.provider.client_id
    return told
