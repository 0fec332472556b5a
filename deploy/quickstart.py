#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of deploy/quickstart (which installs and builds before it calls this)."""
import argparse
import json
import pathlib
import shlex
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

from czdeploy import quickstack                         # noqa: E402
from czdeploy.citizenk import RestError, api_path       # noqa: E402
from czdeploy.paths import bin_dir                      # noqa: E402
from czdeploy.procs import CANCEL, Cancelled, ProcessError     # noqa: E402

_LINE_EVERY = 2.0


def say(text):
    print(f"quickstart: {text}", file=sys.stderr, flush=True)


def parse(argv):
    parser = argparse.ArgumentParser(prog="deploy/quickstart", allow_abbrev=False)
    parser.add_argument("--data", default=".citizenk")
    parser.add_argument("--ports", type=int, metavar="BASE")
    parser.add_argument("--no-demo", action="store_true")
    parser.add_argument("--detach", action="store_true")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--status", action="store_true")
    what.add_argument("--restart", metavar="NAME")
    what.add_argument("--stop", action="store_true")
    what.add_argument("--clean", action="store_true")
    return parser.parse_args(argv)


def existing(data):
    stack = quickstack.load(data)
    if stack is None:
        raise ProcessError(f"nothing was started in {data}")
    return stack


def cmd_status(data):
    print(json.dumps(existing(data).status(), indent=2))


def cmd_restart(data, name):
    with quickstack.locked(data):
        stack = existing(data)
        stack.restart(name)
    say(f"{name} runs, pid {stack.pid_of(stack.parts()[name])}")


def cmd_stop(data, clean):
    with quickstack.locked(data):
        stack = quickstack.load(data)
        if stack is None:
            say(f"nothing was started in {data}")
            return
        stack.stop()
        if clean:
            stack.remove()
    say(f"stopped; {data} is deleted" if clean else "stopped")


def bring_up(stack, with_demo):
    say("starting PostgreSQL and two Kafka brokers")
    stack.start_servers()
    say("starting two control planes and two workers")
    stack.start_programs()
    client = stack.client()
    if client is None:
        raise ProcessError("no control plane is ready")
    from czdeploy import demo       # needs confluent_kafka, which --status and --stop do without
    demo.create_clusters(stack, client)
    if with_demo:
        say("creating the demo: topics, live orders, a mapping with a filter")
        demo.start(stack, client)


def describe(stack, with_demo):
    status = stack.status()
    cli = (f"{shlex.quote(str(bin_dir() / 'citizenk'))} "
           f"--context-file {shlex.quote(str(stack.context_file))}")
    token, rest = shlex.quote(status["token_file"]), status["rest"][0]
    lines = [
        "", "CitizenK runs.", "",
        f"  REST API        {'  '.join(status['rest'])}",
        f"  Kafka source    {status['source']}",
        f"  Kafka target    {status['target']}",
        f"  PostgreSQL      {status['postgres']}",
        f"  workers         {'  '.join(status['workers'])}  (health and metrics)",
        f"  data and logs   {stack.data}",
        "", "  Log in with the token in " + status["token_file"] + ":",
        f"    curl -H \"Authorization: Bearer $(cat {token})\" "
        f"{rest}{api_path('teams', 'default', 'mappings')}",
        f"    {cli} get mappings",
    ]
    if with_demo:
        lines += [
            "", "  Demo: the mapping 'orders to staging' copies sales from source to target.",
            f"    {cli} history 'orders to staging'",
            f"    kcat -b {status['target']} -q -t orders -C -o -3 -c 3",
        ]
    print("\n".join(lines) + "\n", flush=True)


def stats_line(stack):
    """One line of rates and lag; says so when a process is down."""
    down = [name for name, part in stack.parts().items()
            if stack.pid_of(part) is None and name != "feed"]
    note = f"  down: {', '.join(down)} (--restart NAME)" if down else ""
    client = stack.client()
    if client is None:
        return f"{time.strftime('%H:%M:%S')}  no control plane is ready{note}"
    try:
        stats = client.get(api_path("stats"))
        workers = client.get(api_path("workers")).get("items", [])
    except (OSError, RestError, ValueError) as error:
        return f"{time.strftime('%H:%M:%S')}  no statistics: {error}{note}"
    totals, items = stats.get("totals", {}), stats.get("items", [])
    running = sum(item.get("state") == "RUNNING" for item in items)
    alive = sum(worker.get("state") == "alive" for worker in workers)
    lag = totals.get("lag", -1)
    return (f"{time.strftime('%H:%M:%S')}  mappings {running}/{len(items)} running"
            f"  workers {alive}  in {totals.get('in_per_second', 0):.0f}/s"
            f"  out {totals.get('out_per_second', 0):.0f}/s"
            f"  lag {'?' if lag is None or int(lag) < 0 else lag}{note}")


def watch(stack):
    """The live line, until a signal comes or another quickstart has stopped everything."""
    tty = sys.stdout.isatty()
    while not CANCEL.is_set():
        if not stack.status()["pids"]:
            say("everything was stopped")
            return
        line = stats_line(stack)
        print(f"\r\033[K{line}" if tty else line, end="" if tty else "\n", flush=True)
        CANCEL.wait(_LINE_EVERY)
    if tty:
        print()


def cmd_up(data, args):
    """Starts everything; a signal during the start undoes it, one afterwards ends the live line."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_: CANCEL.set())
    with quickstack.locked(data):
        stack = quickstack.create(data, args.ports)
        ran_before = stack.status()["pids"]
        stack.check_ports()
        try:
            bring_up(stack, not args.no_demo)
        except BaseException:
            if not ran_before:
                say("stopping what was started")
                stack.stop()
            raise
    describe(stack, not args.no_demo)
    if args.detach:
        return
    print("Ctrl-C stops everything.", flush=True)
    watch(stack)
    with quickstack.locked(data):
        say("stopping")
        # Whatever --restart has started meanwhile is found by its pid file.
        (quickstack.load(data) or stack).stop()


def main(argv):
    args = parse(argv)
    data = pathlib.Path(args.data).absolute()
    try:
        if args.status:
            cmd_status(data)
        elif args.restart:
            cmd_restart(data, args.restart)
        elif args.stop or args.clean:
            cmd_stop(data, args.clean)
        else:
            cmd_up(data, args)
    except Cancelled:
        return 130
    except (ProcessError, RestError) as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
