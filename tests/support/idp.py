# SPDX-License-Identifier: Apache-2.0
"""An identity provider that lies when it is told to: oidc-provider-mock with its ID tokens signed again.

Every ID token goes through `Idp.alter`, a function of (header, claims, key) → (header, claims, key); the
key None leaves the token unsigned, a str is a whole token.  PKCE is checked here, and the device flow added
(RFC 8628): a code is pending until `agree(user_code, sub)`."""
import base64
import hashlib
import io
import json
import secrets
import threading
import time
import urllib.parse
import urllib.request
import wsgiref.simple_server

import oidc_provider_mock
from joserfc import jws
from joserfc.jwk import RSAKey

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Idp:
    """A provider at `issuer`, in a thread. Users come by `User(sub, claims)` of the mock."""

    def __init__(self, users):
        self._inner = oidc_provider_mock.app(user_claims=users)
        self.key = RSAKey.generate_key(2048, {"kid": "ours", "use": "sig"})
        self.alter = lambda header, claims, key: (header, claims, key)
        self.challenges, self.codes, self.devices = {}, {}, {}
        self.users = {user.sub: user for user in users}
        self.key_requests = 0
        self._server = wsgiref.simple_server.make_server("127.0.0.1", 0, self, handler_class=_Quiet)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    # ---- the answers ----------------------------------------------------------------------------

    def sign(self, claims):
        header, claims, key = self.alter({"alg": "RS256", "kid": "ours"}, claims, self.key)
        if isinstance(key, str):
            return key
        if key is None:
            return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."
        return jws.serialize_compact(header, json.dumps(claims).encode(), key,
                                     algorithms=["RS256", "HS256", "ES256", "PS256"])

    def __call__(self, environ, start_response):
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
        if method == "POST" and path == "/device":
            return self._json(start_response, 200, self._new_device())
        if method == "POST" and path == "/oauth2/token":
            return self._token(environ, body, form, start_response)
        if path == "/jwks":
            self.key_requests += 1
            return self._json(start_response, 200, {"keys": [self.key.as_dict(private=False)]})
        status, headers, answer = self._ask(environ, body)
        if path == "/.well-known/openid-configuration":
            return self._json(start_response, 200, {**json.loads(answer), "issuer": self.issuer,
                                                    "device_authorization_endpoint": f"{self.issuer}/device"})
        if method == "POST" and path == "/oauth2/authorize":
            query = dict(urllib.parse.parse_qsl(environ["QUERY_STRING"]))
            back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(dict(headers)["Location"]).query))
            self.challenges[back.get("code")] = query.get("code_challenge")
        start_response(status, headers)
        return [answer]

    def _ask(self, environ, body):
        """The mock itself."""
        got = []
        environ = {**environ, "wsgi.input": io.BytesIO(body)}
        answer = b"".join(self._inner(environ, lambda status, headers, _=None: got.extend((status, headers))))
        return got[0], got[1], answer

    @staticmethod
    def _json(start_response, status, value):
        raw = json.dumps(value).encode()
        start_response(f"{status} -", [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))])
        return [raw]

    def _token(self, environ, body, form, start_response):
        if form.get("grant_type") == DEVICE:
            return self._device_token(form, start_response)
        verifier = form.get("code_verifier", "")
        if b64(hashlib.sha256(verifier.encode()).digest()) != self.challenges.pop(form.get("code"), None):
            return self._json(start_response, 400, {"error": "invalid_grant"})
        status, headers, answer = self._ask(environ, body)
        if not status.startswith("200"):
            start_response(status, headers)
            return [answer]
        answer = json.loads(answer)
        claims = {**claims_of(answer["id_token"]), "iss": self.issuer}
        user = self.users.get(claims["sub"])
        answer["id_token"] = self.sign({**(user.claims if user else {}), **claims})
        return self._json(start_response, 200, answer)

    # ---- the device flow ------------------------------------------------------------------------

    def _new_device(self):
        user_code, code = secrets.token_hex(4).upper(), secrets.token_urlsafe(16)
        self.devices[code] = [user_code, None]
        return {"device_code": code, "user_code": user_code, "verification_uri": f"{self.issuer}/activate",
                "expires_in": 600, "interval": 1}

    def _device_token(self, form, start_response):
        device = self.devices.get(form.get("device_code"))
        if not device:
            return self._json(start_response, 400, {"error": "invalid_grant"})
        if not device[1]:
            return self._json(start_response, 400, {"error": "authorization_pending"})
        user, now = self.users[device[1]], int(time.time())
        token = self.sign({**user.claims, "sub": user.sub, "iss": self.issuer, "aud": form["client_id"],
                           "iat": now, "exp": now + 60})
        return self._json(start_response, 200, {"access_token": "x", "token_type": "Bearer", "id_token": token})

    def agree(self, sub):
        """Somebody enters the newest code."""
        list(self.devices.values())[-1][1] = sub
