#!/usr/bin/env python3
"""What deployments and packages start can be started: every command in docker-compose.yml, in deploy/kubernetes and
in the units of packaging/systemd is understood by the program.

    scripts/check-deployment.py BINARY
"""

import shlex
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
NAME = "emp-events"


def of_compose():
    for name, service in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].items():
        if "build" in service:
            yield f"docker-compose.yml: {name}", service.get("command", ["collect"])


def of_kubernetes():
    for path in sorted((ROOT / "deploy/kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            pod = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in pod.get("containers", []):
                where = f"{path.name}: {container['name']}"
                yield where, container.get("args", ["collect"])
                for probe in ("readinessProbe", "livenessProbe"):
                    command = container.get(probe, {}).get("exec", {}).get("command", [])
                    if command[:1] == [NAME]:
                        yield f"{where}: {probe}", command[1:]


def of_units():
    for path in sorted((ROOT / "packaging/systemd").glob("*.service")):
        for line in path.read_text().splitlines():
            if line.startswith("ExecStart="):
                yield path.name, shlex.split(line.removeprefix("ExecStart="))[1:]


def main():
    [binary] = sys.argv[1:]
    commands = [*of_compose(), *of_kubernetes(), *of_units()]
    # Help at its end says that all before it was understood; nothing is run.
    not_understood = []
    for where, words in commands:
        asked = subprocess.run([binary, *words, "--help"], capture_output=True, text=True)
        if asked.returncode != 0:
            not_understood.append(f"{where}: {NAME} {shlex.join(words)}: {asked.stderr.splitlines()[0]}")
    print("\n".join(not_understood), file=sys.stderr, end="\n" if not_understood else "")
    # Where one of the files has another form than is read here, commands would be missing.
    if len(commands) < 10:
        sys.exit(f"only {len(commands)} commands were found")
    sys.exit(1 if not_understood else 0)


if __name__ == "__main__":
    main()
