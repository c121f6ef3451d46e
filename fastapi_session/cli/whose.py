"""Whose sessions a command is about: a user's, in one tenant or in all.

Without an option that is the public tenant: the same user id may be another person's in another tenant.
"""

from __future__ import annotations

from typing import Annotated

import typer

from fastapi_session.handles import PUBLIC_TENANT

Tenant = Annotated[
    str | None,
    typer.Option("--tenant", metavar="TENANT", help="The tenant of the user, by default the public one."),
]
AllTenants = Annotated[bool, typer.Option("--all-tenants", help="The user's sessions in every tenant.")]


def tenant_of(tenant: str | None, *, all_tenants: bool) -> str | None:
    """Return the tenant that the options say, `None` for every one. Both at once is a wrong command line."""
    if all_tenants and tenant is not None:
        raise typer.BadParameter("give this or --tenant, not both", param_hint="--all-tenants")
    public = PUBLIC_TENANT if tenant is None else tenant
    return None if all_tenants else public
