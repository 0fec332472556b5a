# SPDX-License-Identifier: Apache-2.0
"""Every command of the CLI and every exit code, against a running deployment."""
import http.server
import json
import os
import pty
import subprocess
import threading
import time

import pytest
import yaml

from support.paths import bin_dir
from support.ports import find_free
from support.procs import wait_until
from support.servers import unique_name

OK, ERROR, CONFLICT, DENIED, INVALID, WAIT, USAGE = 0, 1, 3, 4, 5, 6, 64


class Cli:
    """Runs `citizenk` with a context of its own. The first server of the context is always down."""

    def __init__(self, stack, folder):
        self.stack = stack
        self.config = folder / "cli.json"
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith("CITIZENK_") and key != "NO_COLOR"}
        self.env["CITIZENK_CLI_CONFIG"] = str(self.config)
        self.write({"servers": [f"http://127.0.0.1:{find_free(1)[0]}", stack.rest.url],
                    "team": "default", "token_file": str(stack.token_file)})

    def write(self, context, mode=0o600):
        self.config.write_text(json.dumps({"current": "test", "contexts": {"test": context}}))
        self.config.chmod(mode)

    def __call__(self, *args, want=OK, stdin="", env=None, cwd=None):
        done = subprocess.run([str(bin_dir() / "citizenk"), *args], input=stdin, text=True,
                              capture_output=True, timeout=90, env={**self.env, **(env or {})}, cwd=cwd)
        assert done.returncode == want, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *args, **more):
        return json.loads(self(*args, "-o", "json", **more).stdout)

    def apply(self, *documents, want=OK, args=()):
        return self("apply", "-f", "-", *args, stdin=yaml.safe_dump_all(documents), want=want)


@pytest.fixture
def cli(stack, tmp_path):
    return Cli(stack, tmp_path)


def document(kind, name, spec, **more):
    return {"api": "citizenk/v1", "kind": kind, "name": name, "spec": spec, **more}


def mapping(topic, name=None, **spec):
    return document("mapping", name or topic,
                    {"source": {"cluster": "source", "topic": topic},
                     "target": {"cluster": "target", "topic": topic}, "start": "earliest", **spec},
                    group="cli")


def test_a_mapping_from_file_to_history(cli, topics):
    topic = topics("life")
    name = f"{topic} to staging"
    one = mapping(topic, name, valid_jmespath="value.event.type == 'sale'")
    made = cli.apply(one, args=["--wait=30s", "--comment", "first"])
    assert made.stdout == f"mapping/{name} created\n"
    assert cli.apply(one).stdout == f"mapping/{name} unchanged\n"
    one["spec"]["valid_jmespath"] = "value.event.type == 'return'"
    assert cli.apply(one, args=["--dry-run"]).stdout == f"mapping/{name} configured (dry run)\n"
    assert cli.json("get", "mapping", name)["generation"] == "1"
    assert cli.apply(one, args=["--comment", "second"]).stdout == f"mapping/{name} configured\n"

    got = cli.json("get", f"mapping/{name}")
    assert got["api"] == "citizenk/v1" and got["generation"] == "2"
    as_yaml = yaml.safe_load(cli("get", "mapping", name, "-o", "yaml").stdout)
    assert as_yaml["spec"] == got["spec"] and as_yaml["version"] == got["version"]
    assert cli("get", "mapping", name, "-o", "name").stdout == f"mapping/{name}\n"
    assert name in cli("get", "mappings", "--group", "cli").stdout
    assert cli("get", "mappings", "--group", "nobody").stdout == ""
    names = [item["name"] for item in cli.json("get", "mappings", "--contains", topic)["items"]]
    assert names == [name]

    described = cli("describe", "mapping", name).stdout
    assert "valid_jmespath: value.event.type == 'return'" in described and "second" in described
    history = cli("history", name).stdout.splitlines()
    assert len(history) == 3 and "second" in history[1] and "first" in history[2] and "cli" in history[1]
    diff = cli("history", "mapping", name, "--diff").stdout
    assert "/spec/valid_jmespath" in diff and "'sale'" in diff and "'return'" in diff

    seq = cli.json("history", "mapping", name)["items"][0]["seq"]
    assert f"mapping/{name}" in cli("describe", "change", seq).stdout
    assert seq in cli("history").stdout
    dry = cli("rollback", seq, "--dry-run")
    assert dry.stdout.startswith(f"mapping/{name} restored (dry run)\n")  # below it what differs
    assert "-> \"value.event.type == 'sale'\"" in dry.stdout
    assert cli("rollback", seq).stdout == f"mapping/{name} restored\n"
    assert "'sale'" in json.dumps(cli.json("get", "mapping", name)["spec"])
    cli("rollback", seq, want=CONFLICT)         # nothing is left of it
    cli("restore", "mapping", name, "--generation", "2")
    assert "'return'" in json.dumps(cli.json("get", "mapping", name)["spec"])
    cli("restore", "mapping", name, "--generation", "99", want=ERROR)

    assert cli("delete", "mapping", name, "--yes").stdout == f"mapping/{name} deleted\n"
    cli("get", "mapping", name, want=ERROR)
    cli("delete", "mapping", name, "--yes", want=ERROR)
    cli("delete", "mapping", name, "--yes", "--ignore-not-found")
    cli("restore", name, "--generation", "1")   # also brings back what was deleted
    cli("delete", f"mapping/{name}", "-y")


def test_pause_resume_restart_and_status(cli, stack, topics):
    topic = topics("pause")
    cli.apply(mapping(topic), args=["--wait"])
    stack.wait_state(topic, "RUNNING")
    assert cli("pause", topic, "--reason", "lunch", "--for", "1h", "--wait").stdout == f"mapping/{topic} paused\n"
    stack.wait_state(topic, "PAUSED")
    assert "lunch" in cli("describe", "mapping", topic).stdout
    assert "pause" in cli("history", topic).stdout
    assert cli("resume", topic, "--wait=20").stdout == f"mapping/{topic} resumed\n"
    stack.wait_state(topic, "RUNNING")
    assert cli("restart", topic, "-o", "name").stdout == f"mapping/{topic}\n"
    cli("pause", "no such mapping", want=ERROR)
    cli("pause", topic, "--until", "2001-01-01T00:00:00Z", want=INVALID)
    cli("pause", topic, "--until", "2091-01-01T00:00:00Z", "--for", "1h", want=USAGE)
    cli("pause", "cluster/source", want=USAGE)
    stack.wait_state(topic, "RUNNING")

    # Counters are reported once a second.
    wait_until(lambda: "PARTITION" in cli("status", topic).stdout, 20, "the counters of the partitions")
    one = cli("status", topic).stdout
    for word in ("state", "RUNNING", "CONDITION", "PARTITION", "dropped", "delay"):
        assert word in one
    assert len(cli.json("status", topic)["tasks"]) >= 1
    everything = cli("status").stdout
    assert "1 alive" in everything and topic in everything
    assert set(cli.json("status", "--all-teams")) == {"stats", "workers"}
    cli("status", "no such mapping", want=ERROR)


def test_get_what_is_no_document(cli):
    workers = cli.json("get", "workers")["items"]
    assert workers and workers[0]["state"] == "alive"
    assert workers[0]["id"] in cli("get", "worker", workers[0]["id"]).stdout
    assert "applied" in cli("describe", "worker", workers[0]["id"]).stdout
    cli("get", "worker", "nobody", want=ERROR)
    assert "team/default" in cli("get", "teams", "-o", "name").stdout
    assert "source" in cli("get", "clusters").stdout
    assert cli.json("get", "changes", "--limit", "1")["items"][0]["seq"].isdigit()
    cli("get", "workers", "--group", "x", want=USAGE)
    cli("get", "wrokers", want=USAGE)
    cli("delete", "worker", workers[0]["id"], "--yes", want=USAGE)


def test_lists_go_over_pages(cli, topics):
    topic, base = topics("pages"), unique_name("page")
    names = [f"{base}-{number:04}" for number in range(105)]
    cli.apply(*(mapping(topic, name, enabled=False, consumer_group=name) for name in names))
    got = [item["name"] for item in cli.json("get", "mappings", "--contains", base)["items"]]
    assert got == names
    assert len(cli.json("get", "mappings", "--contains", base, "--limit", "101")["items"]) == 101
    listed = cli("get", "mappings", "--contains", base, "-o", "yaml").stdout
    assert cli("apply", "-f", "-", stdin=listed).stdout.count(" unchanged") == 105
    cli("delete", "-f", "-", "--yes", stdin=listed)


def test_all_is_checked_before_anything_is_written(cli, topics):
    topic, base = topics("bad"), unique_name("bad")
    good = mapping(topic, f"{base} good")
    bad = mapping(topic, f"{base} bad", valid_jmespath="value.[", surprise=1)
    refused = cli.apply(good, bad, want=INVALID)
    assert refused.stdout == ""
    assert "<stdin>:" in refused.stderr and "/spec/surprise" in refused.stderr
    assert "/spec/valid_jmespath" in refused.stderr and "Nothing was changed." in refused.stderr
    assert cli.json("get", "mappings", "--contains", base)["items"] == []
    missing = cli.apply(mapping(topic + "-gone", f"{base} gone"), want=INVALID)
    assert "/spec/source/topic" in missing.stderr and "does not exist" in missing.stderr


def test_places_of_problems(cli, tmp_path):
    folder = tmp_path / "config"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.yaml").write_text("api: citizenk/v1\nkind: mapping\nname: x\nspec:\n  a: 1\n  a: 2\n")
    (folder / "deep" / "c.json").write_text('{"api": "citizenk/v1",}')
    (folder / "d.yml").write_text(
        "# one\napi: citizenk/v1\nkind: mapping\nname: y\nspec:\n  source: {cluster: source,\n    topc: z}\n")
    (folder / ".hidden.yaml").write_text("a: [")
    (folder / "notes.txt").write_text("a: [")
    refused = cli("apply", "-f", str(folder), want=INVALID)
    assert f"{folder}/b.yaml:6:3: the key \"a\" is there twice" in refused.stderr
    assert "c.json: line 1 column" in refused.stderr and "hidden" not in refused.stderr
    refused = cli("apply", "-f", "d.yml", cwd=folder, want=INVALID)
    assert "d.yml:7:5: mapping/y: /spec/source/topc" in refused.stderr
    cli("apply", "-f", str(tmp_path / "nothing.yaml"), want=ERROR)
    cli("apply", "-f", "-", stdin="# nothing\n", want=INVALID)
    cli("apply", want=USAGE)


def test_objects_that_need_each_other_in_one_file(cli, servers, topics):
    topic, base = topics("order"), unique_name("order")
    cluster = document("cluster", f"{base}-c", {"bootstrap_servers": servers.source.bootstrap})
    ids = document("value_map", f"{base}-ids", {"value.id": {"1001": 1}})
    one = mapping(topic, f"{base}-m", value_map=f"{base}-ids", consumer_group=base)
    one["spec"]["source"]["cluster"] = f"{base}-c"
    template = document("template", f"{base}-t", {
        "variables": {"T": {}},
        "mappings": [{"name": f"{base}-made", "spec": {
            "source": {"cluster": f"{base}-c", "topic": "{{T}}"},
            "target": {"cluster": "target", "topic": "{{T}}"}, "consumer_group": f"{base}-t"}}]})
    instance = document("instance", f"{base}-i", {"template": f"{base}-t", "vars": {"T": topic}})
    everything = [instance, one, template, ids, cluster]
    dry = cli.apply(*everything, args=["--dry-run"]).stdout
    assert f"mapping/{base}-m created (dry run; to be checked after " in dry
    assert cli.json("get", "mappings", "--contains", base)["items"] == []
    done = cli.apply(*everything).stdout.splitlines()
    assert done == [f"cluster/{base}-c created", f"value_map/{base}-ids created", f"template/{base}-t created",
                    f"mapping/{base}-m created", f"instance/{base}-i created"]
    assert cli.json("get", "mapping", f"{base}-made")["managed_by"] == f"instance:{base}-i"
    assert cli.apply(*everything).stdout.count(" unchanged") == 5
    in_use = cli("delete", "cluster", f"{base}-c", "--yes", want=CONFLICT)
    assert f"{base}-m" in in_use.stderr
    for kind in ("value_maps", "templates", "instances", "vm"):
        assert base in cli("get", kind).stdout
    # A mapping that is still wrong when its cluster is there: the cluster was written, it was not.
    late = mapping(topic + "-gone", f"{base}-late")
    late["spec"]["source"]["cluster"] = f"{base}-c2"
    second = document("cluster", f"{base}-c2", {"bootstrap_servers": servers.source.bootstrap})
    stopped = cli.apply(late, second, want=INVALID)
    assert stopped.stdout == f"cluster/{base}-c2 created\n" and "1 written, 1 not" in stopped.stderr
    path_free = yaml.safe_dump_all([*everything, second])
    deleted = cli("delete", "-f", "-", "--yes", stdin=path_free).stdout.splitlines()
    assert deleted[0] == f"instance/{base}-i deleted" and f"cluster/{base}-c deleted" in deleted


def test_nobodys_change_is_overwritten(cli, topics):
    topic = topics("stale")
    cli.apply(mapping(topic))
    mine = cli.json("get", "mapping", topic)
    cli.apply(mapping(topic, start="latest"))
    assert cli.apply({**mine, "spec": mapping(topic, start="latest")["spec"]}).stdout.endswith(" unchanged\n")
    mine["spec"]["on_error"] = "skip"
    stale = cli.apply(mine, want=CONFLICT)
    assert f"was made from version {mine['version']}" in stale.stderr
    del mine["version"]
    cli.apply(mine)
    cli("delete", "mapping", topic, "--yes")


def test_waiting_for_workers_can_time_out(cli, stack, topics):
    topic = topics("wait")
    cli.apply(mapping(topic), args=["--wait"])
    stack.wait_state(topic, "RUNNING")
    stack.workers[0].suspend()
    try:
        late = cli("pause", topic, "--wait=1s", want=WAIT)
        assert late.stdout == f"mapping/{topic} paused\n" and "not all workers" in late.stderr
    finally:
        stack.workers[0].resume()
    stack.wait_workers(1)
    cli("resume", topic, "--wait")
    stack.wait_state(topic, "RUNNING")
    cli("delete", "mapping", topic, "--yes")


def test_tokens(cli, stack, tmp_path):
    url = stack.rest.url
    wrong = tmp_path / "wrong.token"
    wrong.write_text("not-the-token\n")
    wrong.chmod(0o600)
    cli.write({"server": url, "token_file": str(wrong)})
    assert "token" in cli("get", "mappings", want=DENIED).stderr
    cli("get", "mappings", env={"CITIZENK_TOKEN": stack.token})
    cli("get", "mappings", env={"CITIZENK_TOKEN_FILE": str(stack.token_file)})
    cli.write({"server": url})
    cli("get", "mappings", want=DENIED)
    cli.write({"server": url, "token": stack.token})
    cli("get", "mappings")
    cli.write({"server": url, "token": stack.token}, mode=0o644)
    assert "chmod 600" in cli("get", "mappings", want=DENIED).stderr
    readable = tmp_path / "readable.token"
    readable.write_text(stack.token)
    readable.chmod(0o644)
    cli.write({"server": url, "token_file": str(readable)})
    assert "chmod 600" in cli("get", "mappings", want=DENIED).stderr
    cli("get", "mappings", "--token", stack.token, want=USAGE)      # there is no such option


def test_contexts(cli, stack):
    cli.config.unlink()
    assert "no server is known" in cli("get", "mappings", want=USAGE).stderr
    cli("context", "set", "a", "--server", stack.rest.url, "--token-file", str(stack.token_file))
    cli("context", "set", "b", "--server", "http://127.0.0.1:1", "--team", "t2")
    assert cli.config.stat().st_mode & 0o777 == 0o600
    assert json.loads(cli.config.read_text())["current"] == "a"
    cli("get", "mappings")
    cli("get", "mappings", "--context", "b", want=ERROR)
    cli("get", "mappings", env={"CITIZENK_CONTEXT": "b"}, want=ERROR)
    cli("get", "mappings", "--context", "c", want=INVALID)
    cli("context", "use", "b")
    assert cli.json("context", "show")["team"] == "t2"
    assert set(cli.json("context", "list")["contexts"]) == {"a", "b"}
    assert cli("context", "list", "-o", "name").stdout.split() == ["a", "b"]
    cli("get", "mappings", "--server", stack.rest.url, "--team", "default", env={"CITIZENK_TOKEN": stack.token})
    cli("get", "mappings", "--server", stack.rest.url, "--team", "no-such-team",
        env={"CITIZENK_TOKEN": stack.token}, want=ERROR)
    cli("context", "delete", "b")
    cli("context", "show", want=ERROR)
    cli("context", "use", "b", want=ERROR)
    cli("context", "set", "c", want=USAGE)
    cli("context", "set", "c", "--server", "ftp://x", want=USAGE)
    cli.config.write_text("{broken")
    cli("context", "list", want=INVALID)


def test_no_server_answers(cli):
    one, two = find_free(2)
    cli.write({"servers": [f"http://127.0.0.1:{one}", f"http://127.0.0.1:{two}"]})
    said = cli("get", "mappings", want=ERROR).stderr
    assert str(one) in said and str(two) in said
    cli("version", want=ERROR)
    assert cli("version", "--client").stdout.startswith("client ")


def test_a_server_that_wants_fewer_requests_is_asked_again(cli):
    """A short Retry-After is waited for, a long one (as of a sign-in) is told."""
    pauses = ["1", None, "600"]

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            pause = pauses.pop(0)
            body = b'{"items": []}' if pause is None else b'{"title": "Too many requests", "detail": "too many"}'
            self.send_response(429 if pause else 200)
            if pause:
                self.send_header("Retry-After", pause)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cli.write({"servers": [f"http://127.0.0.1:{server.server_port}"], "team": "default"})
        cli("get", "mappings")
        assert "too many" in cli("get", "mappings", want=ERROR).stderr and not pauses
        server.shutdown()


def test_eval_without_a_server(cli):
    cli.config.unlink()
    sale = '{"event":{"type":"sale"},"id":12345678901234567890,"price":1.10}'
    assert cli("eval", "event.type == 'sale'", stdin=sale).stdout == "true\n"
    assert cli("eval", "[id, price]", "-o", "json", stdin=sale).stdout == "[12345678901234567890,1.10]\n"
    assert cli("eval", "event", stdin=sale).stdout == '{\n  "type": "sale"\n}\n'
    assert cli("eval", "event.type", "--raw", stdin=sale).stdout == "sale\n"
    wrong = cli("eval", "event.[", stdin=sale, want=INVALID).stderr.splitlines()
    assert "position" in wrong[0] and wrong[1] == "  event.["
    assert wrong[2].strip() == "^" and wrong[2].index("^") - 2 in (6, 7)
    assert "the document" in cli("eval", "a", stdin='{"a":', want=INVALID).stderr
    cli("eval", "a", "-o", "yaml", want=USAGE)
    cli("eval", "a", "-f", "/nonexistent", want=ERROR)
    cli("eval", want=USAGE)


def test_help_version_completion(cli):
    overview = cli("--help").stdout
    for command in ("get", "describe", "apply", "delete", "pause", "resume", "restart", "history", "rollback",
                    "restore", "eval", "status", "version", "completion", "context", "login", "logout", "token"):
        assert f"\n  {command} " in overview
        assert cli(command, "--help").stdout.startswith(f"citizenk {command}: ")
        assert cli("help", command).stdout == cli(command, "--help").stdout
    assert "Usage" in cli(want=USAGE).stderr
    assert "did you mean \"get\"" in cli("gte", want=USAGE).stderr
    assert cli("--version").stdout.startswith("citizenk ")
    both = cli.json("version")
    assert both["client"] and both["server"]["version"]
    for shell in ("bash", "zsh", "fish"):
        assert "rollback" in cli("completion", shell).stdout
    cli("completion", "tcsh", want=USAGE)


def test_bash_completes_from_the_table(cli, topics):
    name = f"{topics('done')} with blanks"
    cli.apply(mapping(name.split()[0], name, enabled=False))
    script = cli("completion", "bash").stdout + """
complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _citizenk; printf '%s\\n' "${COMPREPLY[@]}"; }
complete_words citizenk ro; complete_words citizenk get --gr; complete_words citizenk -o json get clu
complete_words citizenk apply -o y; complete_words citizenk context us
complete_words citizenk pause """ + name.split()[0] + "\n"
    env = {**cli.env, "PATH": f"{bin_dir()}:{cli.env['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=env, text=True, capture_output=True, timeout=60)
    assert done.stdout.splitlines() == ["rollback", "--group", "cluster", "yaml", "use", name.replace(" ", "\\ ")]
    cli("delete", "mapping", name, "--yes")


def test_delete_asks_on_a_terminal_and_only_there(cli, topics):
    topic = topics("ask")
    cli.apply(mapping(topic, enabled=False))
    assert "--yes" in cli("delete", "mapping", topic, want=USAGE).stderr
    for answer, code in (("n\n", ERROR), ("y\n", OK)):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([str(bin_dir() / "citizenk"), "delete", "mapping", topic], stdin=theirs,
                                   stdout=subprocess.PIPE, stderr=theirs, env=cli.env)
        os.close(theirs)
        os.write(ours, answer.encode())
        assert process.wait(30) == code
        os.close(ours)
        process.stdout.close()
    cli("get", "mapping", topic, want=ERROR)


def test_colour_only_on_a_terminal(cli):
    assert "\x1b" not in cli("get", "workers").stdout

    def on_terminal(**env):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([str(bin_dir() / "citizenk"), "get", "workers"], stdout=theirs,
                                   stdin=subprocess.DEVNULL, env={**cli.env, "TERM": "xterm", **env})
        process.wait(30)
        time.sleep(0.05)
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    assert "\x1b[32malive" in on_terminal()
    assert "\x1b" not in on_terminal(NO_COLOR="1")


def test_a_full_disk_is_an_error(cli):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([str(bin_dir() / "citizenk"), "get", "clusters"], stdout=full,
                              stderr=subprocess.PIPE, text=True, env=cli.env, timeout=30)
    assert done.returncode == ERROR and "cannot write to stdout" in done.stderr
