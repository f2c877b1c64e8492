"""Scripted clouds: the scripted vendors behind the addresses, authentication and framing of Azure, Vertex AI and Bedrock.

They check what their names promise, by code of their own: Bedrock the signature of each request, Vertex the assertion and the
token that it gave for it, Azure the key's header. What is left is the plain request, which the vendor's fake judges.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
import time
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.anthropic import Anthropic
from tests.fakes.gemini import Gemini
from tests.fakes.openai import OpenAI
from tests.fakes.replies import Failure
from tests.fakes.scripted import Violation
from tests.fakes.server import Exchange, Request, Wire

REGION = "eu-central-1"
ACCESS_KEY = "AKIASCRIPTEDCLOUD"
SECRET_KEY = "secret/of+the+scripted+cloud"
SESSION_TOKEN = "FwoGZXIvYXdzEXAMPLE=="
API_KEY = "bedrock-api-key-scripted"
PROJECT = "scripted-project"
EMAIL = f"gateway@{PROJECT}.iam.gserviceaccount.com"


def plain(request: Request, path: str, body: dict[str, Any], **headers: str) -> Request:
    """The request as the plain vendor gets it."""
    kept = [(name, value) for name, value in request.headers if name not in ("authorization", "api-key")]
    added = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(request.method, path, "", [*kept, *added], json.dumps(body).encode())


# --- Bedrock --------------------------------------------------------------------------------------------


class Bedrock(Anthropic):
    """`key`: an API key in the place of signatures, or None."""

    key_headers = ("authorization",)
    call_path = ""

    def calls(self) -> list[Request]:
        return self.requests

    async def route(self, request: Request, exchange: Exchange) -> None:
        asked = re.fullmatch(r"/model/([^/:;]+)/invoke(-with-response-stream)?", request.path)
        fault = self._fault(request, asked is not None)
        if fault is not None or asked is None:
            message = fault or "there is no such operation"
            self.violated(request, Violation(message, 403))
            await exchange.answer(
                403, amazons("AccessDeniedException"), [json.dumps({"message": message}).encode()]
            )
            return
        model = re.sub(r"^(?:[a-z]+\.)?anthropic\.|-v\d+(?::\d+)?$", "", unquote(asked[1]))
        body = {**request.json, "model": model, "stream": asked[2] is not None}
        del body["anthropic_version"]
        betas = body.pop("anthropic_beta", None)
        headers = {"anthropic_beta": ",".join(betas)} if betas else {}
        inner = plain(request, "/v1/messages", body, anthropic_version="2023-06-01", **headers)
        await self._messages(inner, Framed(exchange))  # type: ignore[arg-type]

    def _fault(self, request: Request, known: bool) -> str | None:
        if known:
            body = request.json
            if {"model", "stream"} & set(body):
                return "Malformed input request: extraneous key, please reformat your input and try again."
            if body.get("anthropic_version") != "bedrock-2023-05-31":
                return "Malformed input request: required key [anthropic_version] not found"
            if request.header("anthropic-version") or request.header("anthropic-beta"):
                return "headers of another API"
        given = request.header("authorization") or ""
        if given == f"Bearer {API_KEY}":
            return None
        return signature_fault(request, given)


def signature_fault(request: Request, given: str) -> str | None:
    """What is wrong with a request's signature, found out as Amazon's documentation says, step by step."""
    parts = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        given,
    )
    if parts is None:
        return "Missing Authentication Token"
    access, day, region, service, names, signature = parts.groups()
    stamp = request.header("x-amz-date") or ""
    if (access, region, service) != (ACCESS_KEY, REGION, "bedrock"):
        return "The security token included in the request is invalid."
    if request.header("x-amz-security-token") not in (None, SESSION_TOKEN):
        return "The security token included in the request is invalid."
    if not stamp.startswith(day) or abs(time.time() - _unix(stamp)) > 300:
        return "Signature expired"
    signed = names.split(";")
    if signed != sorted(signed) or not {"host", "x-amz-date"} <= set(signed):
        return "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    if request.header("x-amz-security-token") and "x-amz-security-token" not in signed:
        return "the session token is not signed"
    canonical = "\n".join(
        [
            request.method,
            "/".join(quote(segment, safe="-_.~") for segment in request.path.split("/")),
            request.query,
            *(f"{name}:{request.header(name)}" for name in signed),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != signature:
        return "The request signature we calculated does not match the signature you provided."
    return None


def _unix(stamp: str) -> float:
    from calendar import timegm

    return timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))


def amazons(error: str | None = None) -> list[tuple[str, str]]:
    named = [] if error is None else [("x-amzn-errortype", f"{error}:http://internal.amazon.com/")]
    return [("content-type", "application/json"), ("x-amzn-requestid", "0f9a-amazon-request"), *named]


class Framed:
    """Puts an Anthropic answer into Amazon's form: errors with a message alone, streams in binary frames."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def answer(
        self,
        status: int,
        headers: Sequence[tuple[str, str]],
        frames: Sequence[bytes],
        *,
        stream: bool = False,
        wire: Wire | None = None,
    ) -> None:
        if status >= 400:
            error = json.loads(frames[0])["error"]
            body = json.dumps({"message": error["message"]}).encode()
            kept = [field for field in headers if field[0] == "retry-after"]
            await self._exchange.answer(status, [*amazons("ValidationException"), *kept], [body], wire=wire)
        elif stream:
            kind = ("content-type", "application/vnd.amazon.eventstream")
            given = [kind, *amazons()[1:]]
            await self._exchange.answer(
                200, given, [framed(frame) for frame in frames], stream=True, wire=wire
            )
        else:
            kind = next(field for field in headers if field[0] == "content-type")
            await self._exchange.answer(status, [kind, *amazons()[1:]], frames, wire=wire)


def framed(event: bytes) -> bytes:
    """One server-sent event as a frame; an error event as an exception."""
    name, data = re.fullmatch(rb"event: ([a-z_]+)\ndata: (.*)\n\n", event, re.DOTALL).groups()  # type: ignore[union-attr]
    if name == b"error":
        message = json.loads(data)["error"]["message"]
        kinds = {":exception-type": "throttlingException", ":message-type": "exception"}
        return frame(kinds, json.dumps({"message": message}).encode())
    payload = {"bytes": base64.b64encode(data).decode(), "p": "abcdefghij"[: len(data) % 10]}
    kinds = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(kinds, json.dumps(payload).encode())


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    raw = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return raw + struct.pack(">I", zlib.crc32(raw))


# --- Vertex AI ------------------------------------------------------------------------------------------


class Vertex(Anthropic):
    """`issued`: tokens given so far; `expires_in`: seconds that the next ones last; `revoked`: no longer good; `no_token`:
    what is answered instead of a token."""

    key_headers = ("authorization",)
    call_path = ""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._private = rsa.generate_private_key(65537, 2048)
        self.issued: list[str] = []
        self.revoked: set[str] = set()
        self.expires_in = 3600
        self.no_token: Failure | None = None
        self.gemini = Gemini()

    def reset(self) -> None:
        super().reset()
        self.issued.clear()
        self.revoked.clear()
        self.expires_in = 3600
        self.no_token = None

    def calls(self) -> list[Request]:
        return [request for request in self.requests if request.path != "/token"]

    def service_account(self) -> dict[str, str]:
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "k1",
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "token_uri": f"{self.url}/token",
        }

    def authorized_user(self) -> dict[str, str]:
        user = {
            "client_id": "id",
            "client_secret": "s",
            "refresh_token": "r",
            "token_uri": f"{self.url}/token",
        }
        return {"type": "authorized_user", **user}

    async def route(self, request: Request, exchange: Exchange) -> None:
        if request.path == "/token":
            await self._token(request, exchange)
            return
        token = (request.header("authorization") or "").removeprefix("Bearer ")
        if token not in self.issued or token in self.revoked:
            if token not in self.revoked:
                self.violated(request, Violation("the token was not issued here", 401))
            await self._google(
                exchange, 401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
            )
            return
        place = f"/v1/projects/{PROJECT}/locations/[a-z0-9-]+"
        google = re.fullmatch(
            place + r"/publishers/google/models/([^/:;]+):(generateContent|streamGenerateContent)",
            request.path,
        )
        if google is not None:
            kept = [field for field in request.headers if field[0] != "authorization"]
            headers = [*kept, ("x-goog-api-key", self.gemini.key)]
            path = f"/v1beta/models/{google[1]}:{google[2]}"
            await self.gemini.route(Request("POST", path, request.query, headers, request.body), exchange)
            self.violations += self.gemini.violations
            self.gemini.violations.clear()
            return
        claude = re.fullmatch(
            place + r"/publishers/anthropic/models/([^/:;]+):(rawPredict|streamRawPredict)", request.path
        )
        if claude is None:
            self.violated(request, Violation("there is no such method", 404))
            await self._google(exchange, 404, "NOT_FOUND", "there is no such method")
            return
        body = request.json
        wrong = "model" in body or body.pop("anthropic_version", None) != "vertex-2023-10-16"
        if wrong or bool(body.get("stream")) is (claude[2] == "rawPredict"):
            self.violated(request, Violation("the body does not fit the method", 400))
        model = re.sub(r"@(\d{8})$", r"-\1", unquote(claude[1]))
        inner = plain(request, "/v1/messages", {**body, "model": model}, anthropic_version="2023-06-01")
        await self._messages(inner, exchange)

    async def _token(self, request: Request, exchange: Exchange) -> None:
        if self.no_token is not None:
            words = {"error": "invalid_grant", "error_description": self.no_token.message}
            await exchange.answer(self.no_token.status, [], [json.dumps(words).encode()])
            return
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        fault = None
        if form.get("grant_type") == "refresh_token":
            fault = None if (form.get("client_id"), form.get("refresh_token")) == ("id", "r") else "bad user"
        elif form.get("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            fault = self._assertion_fault(form.get("assertion", ""))
        else:
            fault = "unsupported grant"
        if fault is not None:
            self.violated(request, Violation(fault, 400))
            await exchange.answer(
                400, [], [json.dumps({"error": "invalid_grant", "error_description": fault}).encode()]
            )
            return
        self.issued.append(self.new_id("ya29."))
        answer = {"access_token": self.issued[-1], "expires_in": self.expires_in, "token_type": "Bearer"}
        await exchange.answer(200, [("content-type", "application/json")], [json.dumps(answer).encode()])

    def _assertion_fault(self, assertion: str) -> str | None:
        head, claims, signature = assertion.split(".")
        try:
            self._private.public_key().verify(
                _decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return "Invalid JWT Signature."
        if json.loads(_decoded(head)) != {"alg": "RS256", "typ": "JWT", "kid": "k1"}:
            return "Invalid JWT header."
        found = json.loads(_decoded(claims))
        now = time.time()
        if found["iss"] != EMAIL or found["aud"] != f"{self.url}/token":
            return "Invalid issuer or audience."
        if found["scope"] != "https://www.googleapis.com/auth/cloud-platform":
            return "Invalid scope."
        return (
            None
            if now - 60 < found["iat"] <= now + 5 and found["exp"] - found["iat"] <= 3600
            else "Token expired"
        )

    async def _google(self, exchange: Exchange, status: int, word: str, message: str) -> None:
        body = [{"error": {"code": status, "message": message, "status": word}}]
        await exchange.answer(status, [("content-type", "application/json")], [json.dumps(body).encode()])


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- Azure OpenAI ---------------------------------------------------------------------------------------


class Azure(OpenAI):
    key = "azure-key-scripted"
    key_headers = ("api-key",)
    versions = ("2024-10-21",)

    def calls(self) -> list[Request]:
        return self.requests

    async def route(self, request: Request, exchange: Exchange) -> None:
        if request.header("api-key") != self.key:
            fault = Violation("Access denied due to invalid subscription key.", 401, "401")
            await self._fail(exchange, self.violated(request, fault))
            return
        path, model = self._place(request)
        if path is None:
            await self._fail(exchange, self.violated(request, Violation("Resource not found", 404, "404")))
            return
        headers = [(n, v) for n, v in request.headers if n != "api-key"]
        headers.append(("authorization", f"Bearer {self.key}"))
        body = request.body
        if model is not None and request.body[:1] == b"{":
            body = json.dumps({**request.json, "model": model}).encode()
        await super().route(Request(request.method, path, "", headers, body), exchange)

    def _place(self, request: Request) -> tuple[str | None, str | None]:
        """The plain path, and the model where the path names a deployment."""
        if request.path.startswith("/openai/v1/"):
            return request.path.removeprefix("/openai"), None
        older = re.fullmatch(r"/openai(?:/deployments/([^/:;]+))?(/.+)", request.path)
        version = parse_qs(request.query).get("api-version", [""])[0]
        if older is None or version not in self.versions:
            return None, None
        return f"/v1{older[2]}", None if older[1] is None else unquote(older[1])
