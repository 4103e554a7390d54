"""Who acts: people and services, the roles they hold, the tokens that prove who they are."""

from bailiwick.access.principals import (
    checked_name,
    create_principal,
    disable,
    find_principal,
    find_service,
    grant_role,
    revoke_role,
    roles_of,
)
from bailiwick.access.tables import EVERY_NAMESPACE, ROLES, Principal, RoleBinding, Token
from bailiwick.access.tokens import (
    authenticate,
    hash_token,
    is_use_unnoted,
    issue_token,
    note_use,
    revoke_token,
)

__all__ = [
    "EVERY_NAMESPACE",
    "ROLES",
    "Principal",
    "RoleBinding",
    "Token",
    "authenticate",
    "checked_name",
    "create_principal",
    "disable",
    "find_principal",
    "find_service",
    "grant_role",
    "hash_token",
    "is_use_unnoted",
    "issue_token",
    "note_use",
    "revoke_role",
    "revoke_token",
    "roles_of",
]
