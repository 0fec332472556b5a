# SPDX-License-Identifier: Apache-2.0
"""Teams, members and grants as an administrator keeps them: by the CLI."""
import yaml

from integration.test_cli import DENIED, OK, Cli
from support.servers import unique_name


def test_team_by_cli(stack, tmp_path):
    cli, team = Cli(stack, tmp_path), unique_name("team")
    told = cli("team", team, "--restricted", "yes", want=OK).stdout
    assert told == f"team/{team} restricted to its grants\n"
    documents = [
        {"kind": "binding", "name": "vera", "spec": {"principal": "p-1", "role": "viewer"}},
        {"kind": "grant", "name": "orders", "spec": {
            "cluster": "prod", "resource_type": "topic", "pattern_type": "prefix", "pattern": "orders.",
            "modes": ["read", "peek"]}}]
    path = tmp_path / "access.yaml"
    path.write_text(yaml.safe_dump_all([{"api": "citizenk/v1", **d} for d in documents]))
    cli("apply", "-f", str(path), "--team", team, want=OK)
    assert "p-1" in cli("get", "bindings", "--team", team, want=OK).stdout
    assert "topic orders.…" in cli("get", "grants", "--team", team, want=OK).stdout
    assert "restricted" in cli("get", "team", team, want=OK).stdout

    use = ["can", "mapping.peek", "--team", team, "--cluster", "prod", "--mode", "peek", "--topic"]
    told = cli(*use, "orders.eu", want=OK).stdout
    assert told.startswith("yes\n") and 'grant "orders"' in told
    told = cli(*use, "payments", want=DENIED).stdout
    assert told.startswith("no\n") and 'needs peek for topic "payments"' in told
    cli("delete", "grant", "orders", "--team", team, "--yes", want=OK)
    cli(*use, "orders.eu", want=DENIED)
    assert cli("team", team, "--restricted", "no", want=OK).stdout == f"team/{team} not restricted\n"
    cli(*use, "orders.eu", want=OK)
