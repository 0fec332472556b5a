# SPDX-License-Identifier: Apache-2.0
"""Signing in as a program's user does: the first admin by the CLI, and an identity provider that lies.

No Kafka is needed: the control plane's brokers are away. C1 and C6 are lines of the security checklist."""
import hmac
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from joserfc.jwk import RSAKey
from oidc_provider_mock import User

from support.citizenk import RestClient, status_of
from support.idp import Idp, b64
from support.paths import bin_dir
from support.ports import find_free
from support.procs import Process, wait_until
from support.servers import unique_name

PASSWORD = "a rather long sentence"


class Plane:
    """A control plane without --admin-token-file; may be started again with other options."""

    def __init__(self, postgres, folder):
        self.folder, self.postgres, self.process = folder, postgres, None
        self.database = unique_name("sign_in").replace("-", "_")
        self.port, kafka = find_free(2)
        self.url = f"http://127.0.0.1:{self.port}"
        postgres.create_database(self.database)
        self.argv = [bin_dir() / "citizenk-controlplane", "--listen", f"127.0.0.1:{self.port}",
                     "--postgres", postgres.conninfo(database=self.database),
                     "--postgres-admin", postgres.conninfo("citizenk_owner", self.database),
                     "--bootstrap-servers", f"127.0.0.1:{kafka}", "--group-id", "sign-in",
                     "--public-url", self.url]

    def start(self, *extra):
        """Kills the one that runs: what it stored counts, and what it remembered (tries) is forgotten."""
        self.extra = extra
        if self.process:
            self.process.kill9()
        self.process = Process("controlplane", [*self.argv, *extra], self.folder / "controlplane.log",
                               die_with_parent=True)
        self.process.start()
        wait_until(lambda: status_of(f"{self.url}/livez") == 200, 20, "/livez", process=self.process)

    def again(self):
        self.start(*self.extra)

    def stop(self):
        if self.process:
            self.process.kill9()

    def log(self):
        return (self.folder / "controlplane.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def plane(_started_servers, tmp_path_factory):
    made = Plane(_started_servers.postgres, tmp_path_factory.mktemp("sign-in"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def idp():
    made = Idp([User(sub="u-1", claims={"preferred_username": "alice", "groups": ["payments", "ops"]}),
                User(sub="u-2", claims={"preferred_username": "bob", "groups": ["citizenk-admins"]})])
    yield made
    made.close()


class Cli:
    def __init__(self, url, folder):
        self.file = folder / "cli.json"
        self.env = {"CITIZENK_CLI_CONFIG": str(self.file), "CITIZENK_SERVER": url}

    def start(self, *args, stdin=None):
        return subprocess.Popen([str(bin_dir() / "citizenk"), *args], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)

    def __call__(self, *args, stdin="", want=0):
        one = self.start(*args)
        out, err = one.communicate(stdin, timeout=60)
        assert one.returncode == want, f"{args}: {one.returncode}\n{out}\n{err}"
        return out, err


# ---- C6 ------------------------------------------------------------------------------------------

def test_c6_first_admin_by_the_cli(plane, tmp_path):
    plane.start()
    cli = Cli(plane.url, tmp_path)
    wait_until(lambda: "token=czk_bootstrap_" in plane.log(), 20, "the bootstrap token")
    token = re.search(r"token=(czk_bootstrap_\w+)", plane.log()).group(1)
    cli("get", "mappings", want=4)
    cli("login", "--bootstrap", "--user", "root", stdin=f"{token}\npassword\n", want=5)
    _, said = cli("login", "--bootstrap", "--user", "root", stdin=f"{token}\n{PASSWORD}\n")
    assert "root is the first admin" in said and "Signed in as root" in said
    assert cli.file.stat().st_mode & 0o777 == 0o600
    cli("get", "mappings")
    cli("login", "--bootstrap", "--user", "other", stdin=f"{token}\n{PASSWORD}\n", want=4)
    # a token for a program: shown once, revoked at once
    value, said = cli("token", "create", "ci", "--scope", "apply", "--expires", "7d")
    assert re.fullmatch(r"czk_user_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\n", value)
    ident = re.search(r"Token (\w+) expires", said).group(1)
    listed, _ = cli("token", "list")
    assert ident in listed and value.strip() not in listed and "active" in listed
    assert RestClient(plane.url, value.strip()).call("GET", "/api/v1/teams").status == 200
    cli("token", "revoke", ident)
    assert RestClient(plane.url, value.strip()).call("GET", "/api/v1/teams").status == 401
    # signing out revokes what the login got
    old = json.loads(cli.file.read_text())["contexts"]["default"]["token"]
    cli("logout")
    assert "token" not in json.loads(cli.file.read_text())["contexts"]["default"]
    assert RestClient(plane.url, old).call("GET", "/api/v1/teams").status == 401
    cli("login", "--user", "root", stdin=f"{PASSWORD}\n")
    # no bootstrap token is offered any more, and none of it all is in the log
    plane.start()
    cli("token", "list")
    assert plane.log().count("token=czk_") == 1
    assert PASSWORD not in plane.log() and old not in plane.log() and value.strip() not in plane.log()


# ---- C1 ------------------------------------------------------------------------------------------

class Browser:
    """Cookies, and no following of redirects."""

    def __init__(self, url):
        self.url, self.cookies = url, {}

    def get(self, target):
        host = urllib.parse.urlsplit(self.url).netloc
        connection = http.client.HTTPConnection(host, timeout=20)
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request("GET", target, headers={"Cookie": jar} if jar else {})
        answer = connection.getresponse()
        body = answer.read().decode()
        self.set = answer.headers.get_all("Set-Cookie") or []
        for one in self.set:
            name, value = one.split(";")[0].split("=", 1)
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer.status, answer.headers.get("Location"), body


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def agree(location, sub):
    """What the user does at the provider; where the browser is sent back to."""
    try:
        urllib.request.build_opener(_Stay).open(location, data=urllib.parse.urlencode({"sub": sub}).encode(),
                                                timeout=20)
    except urllib.error.HTTPError as answer:
        assert answer.code == 302, answer.read()
        back = urllib.parse.urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"
    raise AssertionError("no redirect")


def sign_in(plane, sub, browser=None):
    """(status of the callback, browser, its text)"""
    browser = browser or Browser(plane.url)
    status, location, _ = browser.get("/api/v1/auth/oidc/login")
    assert status == 302
    status, where, text = browser.get(agree(location, sub))
    assert (status == 302) == (where == "/")
    return status, browser, text


@pytest.fixture(scope="module")
def with_idp(plane, idp):
    plane.start("--oidc-issuer", idp.issuer, "--oidc-client-id", "citizenk", "--oidc-client-secret",
                "${env:IDP_SECRET}", "--oidc-admin-group", "citizenk-admins")
    return plane


@pytest.fixture(autouse=True)
def _honest(idp):
    yield
    idp.alter = lambda header, claims, key: (header, claims, key)


@pytest.fixture(scope="module", autouse=True)
def _secret():
    os.environ["IDP_SECRET"] = "s3cr3t of the client"
    yield
    del os.environ["IDP_SECRET"]


def test_c1_signs_in(with_idp):
    browser = Browser(with_idp.url)
    status, location, _ = browser.get("/api/v1/auth/oidc/login")
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == 64 and len(asked["nonce"]) == 64 and asked["state"] != asked["nonce"]
    login = browser.set[0]
    assert all(word in login for word in ("__Host-citizenk-login=", "Secure", "HttpOnly", "SameSite=Lax",
                                          "Path=/", "Max-Age=600")) and "Domain" not in login
    status, where, text = browser.get(agree(location, "u-1"))
    assert (status, where) == (302, "/")
    assert [name for name in browser.cookies] == ["__Host-citizenk"]     # that of the login is gone
    assert "eyJ" not in text + str(browser.set)          # no token of the provider reaches the browser
    me = json.loads(browser.get("/api/v1/auth/me")[2])
    assert (me["name"], me["via"], me["groups"], me["roles"]) == ("alice", "session", ["payments", "ops"], [])
    assert browser.get("/api/v1/teams")[0] == 403 or browser.get("/api/v1/teams")[0] == 200
    # members of the group are admins; the same subject is the same principal again
    admin = sign_in(with_idp, "u-2")[1]
    assert json.loads(admin.get("/api/v1/auth/me")[2])["roles"] == ["admin"]
    again = sign_in(with_idp, "u-1")[1]
    assert json.loads(again.get("/api/v1/auth/me")[2])["id"] == me["id"]


def test_c1_state_and_code(with_idp, idp):
    victim, thief = Browser(with_idp.url), Browser(with_idp.url)
    _, location, _ = thief.get("/api/v1/auth/oidc/login")
    back = agree(location, "u-1")
    assert victim.get(back)[0] == 401                    # a browser that began nothing
    victim.get("/api/v1/auth/oidc/login")
    assert victim.get(back)[0] == 401                    # an answer that was meant for another one
    assert sign_in(with_idp, "u-1")[0] == 302
    status, _, text = thief.get(back)
    assert status == 302
    assert thief.get(back)[0] == 401                     # a code is good once
    assert thief.get(back.replace("code=", "code=x"))[0] == 401
    assert sign_in(with_idp, "u-1")[0] == 302
    # the answer of another issuer (RFC 9207), and a refusal
    browser = Browser(with_idp.url)
    _, location, _ = browser.get("/api/v1/auth/oidc/login")
    state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))["state"]
    assert browser.get(f"{agree(location, 'u-1')}&iss=http%3A%2F%2Fevil.example")[0] == 401
    assert browser.get(f"/api/v1/auth/oidc/callback?error=access_denied&state={state}")[0] == 401
    assert sign_in(with_idp, "u-1")[0] == 302


FOREIGN = RSAKey.generate_key(2048, {"kid": "ours"})
NOW = int(time.time())


def _without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


def _as_hmac(header, claims, key):
    """The public key taken as the secret of an HMAC."""
    text = ".".join(b64(json.dumps(part).encode()) for part in ({**header, "alg": "HS256"}, claims))
    return header, claims, f"{text}.{b64(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


LIES = {
    "iss": lambda h, c, k: (h, {**c, "iss": c["iss"] + "/"}, k),
    "iss of another": lambda h, c, k: (h, {**c, "iss": "https://evil.example"}, k),
    "aud": lambda h, c, k: (h, {**c, "aud": "another-client"}, k),
    "no aud": lambda h, c, k: (h, _without(c, "aud"), k),
    "many aud without azp": lambda h, c, k: (h, {**c, "aud": ["citizenk", "another-client"]}, k),
    "azp": lambda h, c, k: (h, {**c, "azp": "another-client"}, k),
    "expired": lambda h, c, k: (h, {**c, "exp": NOW - 3600}, k),
    "no exp": lambda h, c, k: (h, _without(c, "exp"), k),
    "from the future": lambda h, c, k: (h, {**c, "iat": NOW + 7200, "exp": NOW + 9000}, k),
    "not yet": lambda h, c, k: (h, {**c, "nbf": NOW + 7200}, k),
    "nonce": lambda h, c, k: (h, {**c, "nonce": "0" * 64}, k),
    "no nonce": lambda h, c, k: (h, _without(c, "nonce"), k),
    "no sub": lambda h, c, k: (h, _without(c, "sub"), k),
    "sub is no text": lambda h, c, k: (h, {**c, "sub": 1}, k),
    "alg none": lambda h, c, k: ({**h, "alg": "none"}, c, None),
    "alg is not on the list": lambda h, c, k: ({**h, "alg": "PS256"}, c, k),
    "a foreign key of the same name": lambda h, c, k: (h, c, FOREIGN),
    "a key that nobody has": lambda h, c, k: ({**h, "kid": "theirs"}, c, FOREIGN),
    "a key that it brings along": lambda h, c, k: (
        {"alg": "RS256", "jwk": FOREIGN.as_dict(private=False)}, c, FOREIGN),
    "HS256 by the public key": _as_hmac,
    "extensions": lambda h, c, k: ({**h, "crit": ["b64"], "b64": True}, c, k),
    "no token": lambda h, c, k: (h, c, "no.token"),
}


def test_c1_every_lie_is_refused(with_idp, idp):
    with_idp.again()
    for number, (name, alter) in enumerate(LIES.items()):
        idp.alter = alter
        status, browser, text = sign_in(with_idp, "u-1")
        assert status == 401, f"{name}: {status} {text}"
        assert "__Host-citizenk" not in browser.cookies, name
        assert "claim" not in text and "signature" not in text     # why is for the log
        if number % 2:                                   # a good one, so that the throttle stays open
            idp.alter = lambda header, claims, key: (header, claims, key)
            assert sign_in(with_idp, "u-1")[0] == 302, f"after {name}"
    for why in ("claim iss", "claim aud", "claim azp", "claim exp", "claim iat", "claim nbf", "claim nonce",
                "claim sub", "signature"):
        assert f"sign-in refused: {why}" in with_idp.log(), why


def test_c1_keys_roll_over(with_idp, idp):
    with_idp.again()
    assert sign_in(with_idp, "u-1")[0] == 302
    idp.key = RSAKey.generate_key(2048, {"kid": "next", "use": "sig"})
    idp.alter = lambda h, c, k: ({**h, "kid": "next"}, c, k)
    wait_until(lambda: sign_in(with_idp, "u-1")[0] == 302, 20, "the new key to be asked for", interval=2.5)


def test_disabled_user_of_the_provider(with_idp, idp):
    idp.alter = lambda h, c, k: ({**h, "kid": idp.key.kid}, c, k)
    admin = sign_in(with_idp, "u-2")[1]
    people = json.loads(admin.get("/api/v1/principals")[2])["items"]
    ident = next(one["id"] for one in people if one["subject"] == "u-1")
    cookie = f"__Host-citizenk={admin.cookies['__Host-citizenk']}"
    for disabled in (True, False):
        change = urllib.request.Request(
            f"{with_idp.url}/api/v1/principals/{ident}", method="PATCH",
            data=json.dumps({"disabled": disabled}).encode(),
            headers={"Content-Type": "application/json", "Cookie": cookie, "X-CitizenK-CSRF": "1",
                     "Origin": with_idp.url})
        assert urllib.request.urlopen(change, timeout=20).status == 200
        assert sign_in(with_idp, "u-1")[0] == (401 if disabled else 302)


def test_device_flow_of_the_cli(with_idp, idp, tmp_path):
    idp.alter = lambda h, c, k: ({**h, "kid": idp.key.kid}, c, k)
    cli = Cli(with_idp.url, tmp_path)
    one = cli.start("login")
    line = one.stderr.readline()
    assert f"{idp.issuer}/activate" in line and "enter the code" in line
    wait_until(lambda: idp.devices, 10, "a device")
    idp.agree("u-2")
    _, said = one.communicate(timeout=60)
    assert one.returncode == 0 and "Signed in as bob" in said
    assert cli.file.stat().st_mode & 0o777 == 0o600
    assert "default" in cli("get", "teams")[0]
    cli("logout")
    cli("get", "teams", want=4)
