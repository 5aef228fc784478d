"""Run a provider of OpenID Connect: discovery, keys, and a token endpoint that checks PKCE and our secret."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID: Final = "background-remover"
CLIENT_SECRET: Final = "a secret of tests alone"
KEY: Final = RSAKey.generate_key(2048, {"kid": "first"})
STRANGERS_KEY: Final = RSAKey.generate_key(2048, {"kid": "first"})
Change = Callable[[dict[str, Any]], None]


class _Handler(BaseHTTPRequestHandler):
    server: "OidcProvider"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/.well-known/openid-configuration":
            self._json(self.server.document())
        elif path == "/keys":
            self.server.key_requests += 1
            self._json({"keys": [self.server.published.as_dict(private=False)]})
        else:
            self._json({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        given = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.server.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if self.headers.get("Authorization") != f"Basic {given}":
            self._json({"error": "invalid_client"}, 401)
        elif asked is None or asked["code_challenge"] != challenge or form["redirect_uri"] != asked["redirect_uri"]:
            self._json({"error": "invalid_grant"}, 400)
        else:
            token = self.server.id_token(asked["nonce"])
            self._json({"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": token})

    def _json(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class OidcProvider(ThreadingHTTPServer):
    """A provider on a free loopback port. Tests change what it says: `person`, `change`, `signing`, `published`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.issuer = self.url
        self.codes: dict[str, dict[str, str]] = {}
        self.signing = self.published = KEY
        self.algorithm = "RS256"
        self.person: dict[str, Any] = {}
        self.change: Change = lambda _: None
        self.key_requests = 0

    def document(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }

    def sign_in(self, url: str, **person: Any) -> str:
        """Sign a person in at the URL to which the service sent the browser; return the URL to send it back to."""
        asked = dict(parse_qsl(urlsplit(url).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"]
        self.person = {"sub": "7", "email": "ann@example.com", "email_verified": True, "name": "Ann", **person}
        code = f"code{len(asked['state'])}-{time.monotonic_ns()}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        self.change(claims)
        header = {"alg": self.algorithm, "kid": self.signing.kid}
        return jwt.encode(header, claims, self.signing, algorithms=[self.algorithm])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()
