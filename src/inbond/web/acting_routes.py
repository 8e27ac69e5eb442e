"""The pages on which people decide: which path is answered by whom, and what it needs.

What a decision is about has an index of its own: its handler asks for the role on that one besides.
"""

from __future__ import annotations

from typing import Final

from inbond.access.needs import OfAnyIndex, OfInbond
from inbond.access.roles import Role
from inbond.web import audit_pages, denial_pages, pin_pages, rejection_pages, review_pages, token_pages, waiver_pages
from inbond.web.routing import Route, route

ID: Final = "{id:[wrp]-[0-9a-f]{10}}"
ENTRY: Final = "{id:q-[0-9a-f]{6}}"
TOKEN: Final = "{id:t-[0-9a-f]{12}}"  # noqa: S105 (of its id)


def acting_routes() -> list[Route]:
    """The routes, in an order in which none hides another."""
    some, deciding = OfAnyIndex(Role.READER), OfAnyIndex(Role.OPERATOR)
    routes = [
        route("GET", "/-/denials", denial_pages.denials, name="denials", need=some),
        route("GET", "/-/review", review_pages.review, name="review", need=deciding),
        route("GET", f"/-/review/{ENTRY}", review_pages.entry, name="review-entry", need=deciding),
        route("POST", f"/-/review/{ENTRY}/accept", review_pages.accept, name="review-accept", need=deciding),
        route("POST", f"/-/review/{ENTRY}/reject", review_pages.reject, name="review-reject", need=deciding),
    ]
    whole = OfInbond(Role.ADMIN)
    routes += [
        route("GET", "/-/tokens", token_pages.listing, name="tokens", need=whole),
        route("POST", "/-/tokens", token_pages.make, name="token-make", need=whole),
        route("GET", "/-/tokens/new", token_pages.new, name="token-new", need=whole),
        route("GET", f"/-/tokens/{TOKEN}", token_pages.one, name="token", need=whole),
        route("POST", f"/-/tokens/{TOKEN}/revoke", token_pages.revoke, name="token-revoke", need=whole),
        route("GET", "/-/audit", audit_pages.audit, name="audit", need=whole),
        route("GET", "/-/audit/export", audit_pages.export, name="audit-export", need=whole),
    ]
    for name, one, plural in (
        ("waiver", waiver_pages.waiver, waiver_pages.waivers),
        ("rejection", rejection_pages.rejection, rejection_pages.rejections),
        ("pin", pin_pages.pin, pin_pages.pins),
    ):
        routes += [
            route("GET", f"/-/{name}s", plural, name=f"{name}s", need=deciding),
            route("GET", f"/-/{name}s/{ID}", one, name=name, need=deciding),
        ]
    for name, pages in (("waiver", waiver_pages), ("rejection", rejection_pages), ("pin", pin_pages)):
        routes += [
            route("POST", f"/-/{name}s", pages.make, name=f"{name}-make", need=deciding),
            route("GET", f"/-/{name}s/new", pages.new, name=f"{name}-new", need=deciding),
            route("POST", f"/-/{name}s/{ID}/revoke", pages.revoke, name=f"{name}-revoke", need=deciding),
        ]
    return routes
