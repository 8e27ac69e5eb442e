"""A simulated OIDC issuer on 127.0.0.1: discovery, keys that can be rotated, statements; misbehaves by name."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE: Final = "inbond"
CLAIMS: Final = {
    "sub": "repo:acme/widgets:ref:refs/heads/main",
    "repository": "acme/widgets",
    "ref": "refs/heads/main",
}
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Defect(StrEnum):
    """What is wrong with an issuer."""

    NONE = "none"
    DOWN = "down"  # every answer is 503
    CUT = "cut"  # every connection ends before an answer
    SILENT = "silent"  # there is none
    ANOTHER_ISSUER = "another-issuer"  # discovery speaks of somebody else
    REDIRECTS = "redirects"  # discovery is elsewhere
    KEYS_REDIRECT = "keys-redirect"
    ENDLESS = "endless"  # the keys go on for as long as somebody reads
    NOT_JSON = "not-json"
    NO_KEYS = "no-keys"
    COMPRESSED = "compressed"  # in a coding that nobody asked for
    KEYS_IN_FILE = "keys-in-file"  # keys are at a URL of another scheme
    KEYS_NOWHERE = "keys-nowhere"  # at an address that is none


class SimIssuer:
    """An issuer for as long as the block lasts. `asked`: the paths that were asked for."""

    def __init__(self) -> None:
        self.defect = Defect.NONE
        self.asked: list[str] = []
        self.published: dict[str, dict[str, Any]] = {}
        self._private: dict[str, tuple[Private, str]] = {}
        self.add_key("k1")

    def add_key(self, kid: str, algorithm: str = "RS256", private: Private | None = None, /, **more: Any) -> Private:
        """A key, published from now on. `more`: members of the published one; None takes one away."""
        key = private or _new(algorithm)
        self._private[kid] = key, algorithm
        jwk = {**_public(key), "kid": kid, "alg": algorithm, "use": "sig", **more}
        self.published[kid] = {name: value for name, value in jwk.items() if value is not None}
        return key

    def rotate(self, kid: str) -> None:
        """From now on this key and no other."""
        self.published.clear()
        self.add_key(kid)

    def public_pem(self, kid: str = "k1") -> bytes:
        """The public half of a key."""
        return self._private[kid][0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What a statement of now says; None takes a claim away."""
        now = int(time.time())
        found = {"iss": self.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 600, **CLAIMS, **changed}
        return {name: value for name, value in found.items() if value is not None}

    def sign(self, kid: str = "k1", *, head: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """A statement by a key, with claims changed. `head`: changes of its head."""
        private, algorithm = self._private[kid]
        return jwt.encode(self.claims(**changed), private, algorithm=algorithm, headers={"kid": kid, **(head or {})})

    def unsigned(self, head: Mapping[str, Any], signature: bytes = b"", **changed: Any) -> str:
        """What looks like a statement, with whatever head and signature."""
        return ".".join((_base64(_json(head)), _base64(_json(self.claims(**changed))), _base64(signature)))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.issuer = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        await self._begin(request)
        if self.defect is Defect.REDIRECTS:
            raise web.HTTPFound("/keys")
        if self.defect is Defect.NOT_JSON:
            return web.Response(text="<html>sign in</html>", content_type="text/html")
        others = {
            Defect.KEYS_IN_FILE: "file:///etc/keys.json",
            Defect.KEYS_NOWHERE: "http://[",
        }
        issuer = "https://other.example" if self.defect is Defect.ANOTHER_ISSUER else self.issuer
        return web.json_response({"issuer": issuer, "jwks_uri": others.get(self.defect, f"{self.issuer}/keys")})

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        await self._begin(request)
        if self.defect is Defect.KEYS_REDIRECT:
            raise web.HTTPFound("/.well-known/openid-configuration")
        if self.defect is Defect.ENDLESS:
            return await _endless(request)
        listed = [] if self.defect is Defect.NO_KEYS else list(self.published.values())
        response = web.json_response({"keys": listed})
        if self.defect is Defect.COMPRESSED:
            response.enable_compression(web.ContentCoding.gzip)
            response.headers["Content-Encoding"] = "gzip"
        return response

    async def _begin(self, request: web.Request) -> None:
        self.asked.append(request.path)
        assert request.transport is not None
        if self.defect is Defect.DOWN:
            raise web.HTTPServiceUnavailable
        if self.defect is Defect.CUT:
            request.transport.abort()
        if self.defect is Defect.SILENT:
            await asyncio.Event().wait()


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with suppress(ConnectionError):
        while True:
            await response.write(b" " * 65536)
    return response


def _new(algorithm: str) -> Private:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm.startswith("ES"):
        curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[algorithm]
        return ec.generate_private_key(curve)
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(key: Private) -> dict[str, Any]:
    match key:
        case rsa.RSAPrivateKey():
            return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ed25519.Ed25519PrivateKey():
            return OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
