# SPDX-License-Identifier: Apache-2.0
"""A team's repository from pull request to roll-back: every command and exit code that a pipeline sees."""
import json
import pathlib
import re
import subprocess

import pytest
import yaml

from integration.test_cli import CONFLICT, INVALID, OK, USAGE, Cli, mapping
from support.paths import bin_dir
from support.servers import unique_name

CHANGES = 2


class Repository:
    """A folder with citizenk.yaml and one file of mappings, and the pipeline that works on it."""

    def __init__(self, stack, folder):
        self.folder = folder / "repo"
        self.folder.mkdir()
        self.cli = Cli(stack, folder)
        self.set = unique_name("set")
        self.config = {"set": self.set, "team": "default", "server": stack.rest.url}
        self.write_config()

    def write_config(self, **more):
        (self.folder / "citizenk.yaml").write_text(yaml.safe_dump({**self.config, **more}))

    def write(self, *documents):
        (self.folder / "mappings.yaml").write_text(yaml.safe_dump_all(documents))

    def __call__(self, *args, want=OK, **more):
        return self.cli(*args, want=want, cwd=self.folder, **more)

    def status(self):
        return json.loads(self("set", "status", "-o", "json").stdout)


@pytest.fixture
def repository(stack, tmp_path):
    return Repository(stack, tmp_path)


def test_pull_request_merge_and_nightly(repository, topics):
    first, second = topics("git"), topics("git")
    repository.write(mapping(first), mapping(second))
    repository("validate")
    planned = repository("plan", "--detailed-exitcode", "-o", "plan.json", "--commit", "c1", want=CHANGES)
    assert f"+ mapping/{first}" in planned.stdout and "Plan: 2 to create" in planned.stdout
    markdown = repository("show", "plan.json", "--markdown").stdout
    assert "| create |" in markdown and "commit c1" in markdown
    assert "x-" not in repository("show", "plan.json").stdout[:1]
    done = repository("apply", "plan.json", "--wait=30s", "--comment", "first").stdout
    assert done == f"mapping/{min(first, second)} created\nmapping/{max(first, second)} created\n"
    status = repository.status()
    assert (status["state"], status["commit"], status["members"]) == ("in_sync", "c1", 2)
    assert repository("plan", "--detailed-exitcode").returncode == OK
    assert repository("diff", "--detailed-exitcode").returncode == OK

    # an edit by hand is refused, and with the glass broken it is drift
    other = mapping(first, tasks=2)
    refused = repository.cli.apply(other, want=CONFLICT)
    assert f"belongs to the set:{repository.set}" in refused.stderr
    repository.cli.apply(other, args=["--break-glass", "it burns"])
    drift = repository("diff", "--detailed-exitcode", want=CHANGES).stdout
    assert f"* mapping/{first} changed" in drift and "it burns" in drift and "/spec/tasks" in drift

    # what was planned before is not applied
    repository.write(mapping(first, tasks=3), mapping(second))
    stale = repository("apply", "plan.json", want=CONFLICT)
    assert "look at the new plan" in stale.stderr and f"~ mapping/{first}" in stale.stderr
    assert repository("apply", "--commit", "c2").stdout == f"mapping/{first} updated\n"
    assert repository("diff", "--detailed-exitcode").returncode == OK


def test_what_a_pipeline_is_refused(repository, topics, stack):
    topic = topics("refuse")
    repository.cli.apply(mapping(topic, "mine " + topic))
    repository.write(mapping(topic, "mine " + topic, consumer_group=unique_name("g")))
    blocked = repository("plan", want=CONFLICT)
    assert "needs-adopt" in blocked.stdout and "mappings.yaml:1:1" in blocked.stdout
    assert "needs" not in repository("apply", "--adopt", "--commit", "c1").stdout

    # all or nothing; the problem is at its place in the file
    bad = mapping(topics("bad"), valid_jmespath="a ==")
    repository.write(mapping(topic, "mine " + topic, tasks=4), bad)
    wrong = repository("apply", want=INVALID)
    assert "mappings.yaml:" in wrong.stderr and "/spec/valid_jmespath" in wrong.stderr
    assert "/spec/valid_jmespath" in repository("validate", want=INVALID).stderr
    assert stack.rest.get(f"/api/v1/teams/default/mappings/mine%20{topic}")["spec"].get("tasks") is None

    # the folder is suddenly empty
    (repository.folder / "mappings.yaml").unlink()
    empty = repository("apply", "--prune", want=CONFLICT)
    assert "all 1 members would be deleted" in empty.stderr
    assert "is not in the files" in repository("plan").stdout

    repository.write_config(require_comment=True)
    assert "--comment is missing" in repository("apply", want=USAGE).stderr
    repository.write_config(teem="x")
    assert "citizenk.yaml:" in repository("plan", want=INVALID).stderr
    repository.write_config(server="http://127.0.0.1:1")
    context = {"servers": [stack.rest.url], "team": "default", "token_file": str(stack.token_file)}
    repository.cli.write(context)
    # no token goes to a server that only a file names
    assert "401" in repository("plan", want=1).stderr or "127.0.0.1:1" in repository("plan", want=1).stderr
    repository("set", "status", "none", "--server", stack.rest.url, want=1)


def test_roll_back_blocks_the_commit(repository, topics, stack):
    topic = topics("bad")
    repository.write(mapping(topic))
    repository("apply", "--commit", "good")
    repository.write(mapping(topic, enabled=False))
    repository("apply", "--commit", "bad")
    seq = repository.status()["applied"]["seq"]
    repository("rollback", seq, "--comment", "no records any more")
    status = repository.status()
    assert (status["state"], status["blocked_commit"]) == ("suspended", "bad")
    assert "was rolled back" in repository("apply", "--commit", "bad", want=CONFLICT).stderr
    assert "blocked commit" in repository("set", "status").stdout
    repository.write(mapping(topic, tasks=1))
    repository("apply", "--commit", "better", "--wait=30s")
    assert repository.status()["state"] == "in_sync"

    renamed = mapping(topic, "new " + topic, tasks=1)
    before = stack.rest.get(f"/api/v1/teams/default/mappings/{topic}")["uid"]
    repository.write({**renamed, "renamed_from": topic})
    assert "renamed from" in repository("plan", "--prune").stdout
    repository("apply", "--prune", "--wait=30s")
    assert stack.rest.get(f"/api/v1/teams/default/mappings/new%20{topic}")["uid"] == before

    repository("set", "release", repository.set, f"mapping/new {topic}")
    repository("set", "suspend", repository.set, "--reason", "freeze")
    assert "freeze" in repository("apply", "--adopt", want=CONFLICT).stderr
    assert repository("set", "resume", repository.set).stdout == f"set/{repository.set} resumed\n"
    repository("set", "delete", repository.set)


def test_examples(tmp_path):
    """deploy/gitops: the documents are valid, without a server, and the pipelines call what there is."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "gitops"
    program = str(bin_dir() / "citizenk")
    done = subprocess.run([program, "validate", "-f", str(folder / "repository")], text=True, capture_output=True,
                          timeout=60, env={"HOME": str(tmp_path)}, check=False)
    assert done.returncode == OK, done.stderr
    commands = {line.split()[0] for line in subprocess.run(
        [program, "help"], text=True, capture_output=True, timeout=60, check=True).stdout.splitlines()
        if line.startswith("  ")}
    for name in ("github-actions.yml", "gitlab-ci.yml"):
        text = (folder / name).read_text()
        assert yaml.safe_load(text)
        used = set(re.findall(r"citizenk (validate|plan|show|apply|diff|\w+) ", text))
        assert {"plan", "show", "apply", "diff"} <= used <= commands | {"plan"}, used - commands
