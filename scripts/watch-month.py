#!/usr/bin/env python3
"""How soon `watch` tells, and how often for nothing: a month of simulated systems with known incidents.

Each world runs for three days before anything is looked at, so that it is known what is usual; then days with four
incidents, at any hour, and days with none follow each other, over a weekend, too. `watch --backtest` goes through all of
them, a look a minute. Prints tables in Markdown.

With --jobs-per-hour each world has so many jobs an hour, on as many workers as it has, each with room for more. What was
looked at is kept in the folder of --keep, and not looked at again by the same program.

usage: scripts/watch-month.py [--quick] [--only incidents|healthy] [--seed N] [--worlds emp,plain] [--jobs-per-hour N]
                              [--keep FOLDER] [--binary PATH]
"""

import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

BEGIN = datetime.datetime(2026, 9, 7, tzinfo=datetime.timezone.utc)  # a Monday
LEAD_DAYS = 3
HOURS_OF_INCIDENTS = (1, 7, 13, 19)
SOON_MS = 300_000
# With --quick so many minutes of each incident are looked at; of one that was not told by then, as many as the second.
QUICK_MINUTES = (10, 25)
HELD = "stuck-job silent-worker full-queue lost-job"
WEBHOOKS = "lost-webhook silent-service endpoint-down"
CONNECTORS = "slow-connector missing-step retry-storm new-error"
# What each world can have, and for how many days it is looked at.
WORLDS = {
    "emp": (8, f"{HELD} {WEBHOOKS} {CONNECTORS} slow-worker error-burst paused-queue skewed-clock"),
    "plain": (8, f"{HELD} {WEBHOOKS} {CONNECTORS} slow-worker error-burst paused-queue"),
    "bullmq": (8, f"{HELD} {WEBHOOKS} {CONNECTORS} slow-worker error-burst paused-queue skewed-clock"),
    "celery": (4, f"{HELD} slow-worker"),
    "temporal": (6, f"{HELD} {CONNECTORS} slow-worker skewed-clock"),
    "sidekiq": (4, f"{HELD} slow-worker"),
    "sparse": (4, f"{HELD} error-burst"),
    "farm": (1, "silent-worker slow-connector retry-storm silent-service"),
}


def told(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def plan(world, seed):
    """When what goes wrong: each kind at least once, in an order and at minutes of the seed's."""
    days, kinds = WORLDS[world]
    kinds = kinds.split()
    chance = random.Random(f"{world} {seed}")
    chance.shuffle(kinds)
    slots = [
        BEGIN + datetime.timedelta(days=LEAD_DAYS + day, hours=hour, seconds=chance.randrange(3600))
        for day in range(0, days, 2)
        for hour in HOURS_OF_INCIDENTS
    ]
    # Once known, an error is not new any more.
    again = [kind for kind in kinds if kind not in ("new-error", "retry-storm")]
    chance.shuffle(again)
    kinds = (kinds + again * len(slots))[: len(slots)]
    return list(zip(kinds, slots))


def run(command):
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{ended.stderr}")
    return json.loads(ended.stdout)


def simulate(binary, folder, world, seed, jobs_per_hour=None):
    days, _ = WORLDS[world]
    name = f"{world}-{seed}" if jobs_per_hour is None else f"{world}-{seed}-{jobs_per_hour}"
    store, truth = folder / name, folder / f"{name}.json"
    if not truth.exists():
        planted = [part for kind, at in plan(world, seed) for part in ("--incident", f"{kind}@{told(at)}")]
        command = [binary, "simulate", "--into", store, "--world", world, "--seed", str(seed), "--healthy"]
        if jobs_per_hour is not None:
            command += ["--jobs-per-hour", str(jobs_per_hour)]
        command += ["--from", told(BEGIN), "--hours", str(24 * (LEAD_DAYS + days)), "--format", "json", *planted]
        truth.write_text(json.dumps(run(command)))
    return store, truth


def looks(world, seed, quick, only):
    """Ranges to go through: until when, for how many minutes, a look how often."""
    days, _ = WORLDS[world]
    if not quick:
        for day in range(days):
            if only != ("healthy" if day % 2 == 0 else "incidents"):
                yield BEGIN + datetime.timedelta(days=LEAD_DAYS + day + 1), 1440, "1m"
        return
    for _, at in plan(world, seed):
        if only != "healthy":
            yield at + datetime.timedelta(minutes=QUICK_MINUTES[0]), QUICK_MINUTES[0] + 3, "1m"
    for day in range(1, days, 2):
        if only != "incidents":
            yield BEGIN + datetime.timedelta(days=LEAD_DAYS + day + 1), 1440, "10m"


def look_back(binary, store, truth, until, minutes, every):
    command = [binary, "--store", store, "watch", "--backtest", "--last", f"{minutes}m", "--every", every]
    return run([*command, "--now", told(until), "--truth", truth, "--format", "json"])


def looked_at_until_told(binary, store, truth, until, minutes, every):
    """The same; for longer where an incident is not told by then."""
    trial = looked_at(binary, store, truth, until, minutes, every)
    if minutes == QUICK_MINUTES[0] + 3 and any(told["after_ms"] is None for told in trial["incidents"]):
        more = QUICK_MINUTES[1] - QUICK_MINUTES[0]
        trial = looked_at(binary, store, truth, until + datetime.timedelta(minutes=more), minutes + more, every)
    return trial


def looked_at(binary, store, truth, until, minutes, every):
    """The same; what this program has looked at in a folder that is kept is not looked at again."""
    program = os.stat(shutil.which(binary) or binary)
    known = store.parent / "looked" / f"{program.st_size}-{program.st_mtime_ns}"
    known.mkdir(parents=True, exist_ok=True)
    answer = known / f"{store.name}-{until:%d%H%M%S}-{minutes}-{every}.json"
    if not answer.exists():
        trial = look_back(binary, store, truth, until, minutes, every)["trial"]
        partial = answer.with_suffix(".part")
        partial.write_text(json.dumps(trial))
        partial.rename(answer)
    return json.loads(answer.read_text())


def percent(share):
    return f"{100 * share:.0f} %"


def since(told, name):
    """How long after its beginning it could be known, in ms."""
    return told[name] and (moment(told[name]) - moment(told["at"])).total_seconds() * 1000


def lasting(ms):
    return "never" if ms is None else f"{ms / 60000:.1f} min"


def print_tables(trials):
    soon = lambda ms: ms is not None and ms <= SOON_MS
    possible = lambda told: soon(since(told, "earliest")) or soon(told["after_ms"])
    incidents = [(world, told) for world, trial, _ in trials for told in trial["incidents"]]
    if incidents:
        print("| incident | planted | told at all | told within 5 min | anybody could know within 5 min | told of these | half of them within | the last after |")
        print("|---|---|---|---|---|---|---|---|")
        kinds = collections.defaultdict(list)
        for _, told in incidents:
            kinds[told["kind"]].append(told)
        kinds = dict(sorted(kinds.items()))
        kinds["**all**"] = [told for _, told in incidents]
        for kind, of in kinds.items():
            after = sorted(told["after_ms"] if told["after_ms"] is not None else float("inf") for told in of)
            last, middle = after[-1], after[len(after) // 2]
            shown = [lasting(None if ms == float("inf") else ms) for ms in (middle, last)]
            known, told_soon = sum(map(possible, of)), sum(soon(told["after_ms"]) for told in of)
            told_at_all = sum(told["after_ms"] is not None for told in of)
            counts = [(told_at_all, len(of)), (told_soon, len(of)), (known, len(of)), (told_soon, known)]
            shares = " | ".join(f"{count} of {among} ({percent(count / max(among, 1))})" for count, among in counts)
            print(f"| {kind} | {len(of)} | {shares} | {shown[0]} | {shown[1]} |")
    print()
    print("| world | days | healthy ones | messages about nothing, a healthy day | a day | messages an incident |")
    print("|---|---|---|---|---|---|")
    worlds = collections.defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for world, trial, days in trials:
        healthy = sum(message["is_of_healthy_day"] for message in trial["false_messages"])
        about = sum(told["messages"] for told in trial["incidents"])
        sums = (days, trial["healthy_days"], healthy, len(trial["false_messages"]), about, len(trial["incidents"]))
        for name in (world, "**all**"):
            worlds[name] = [a + b for a, b in zip(worlds[name], sums)]
    for world, (days, healthy_days, healthy, false, about, count) in sorted(worlds.items(), key=lambda item: item[0] == "**all**"):
        of_healthy = f"{healthy / healthy_days:.2f}" if healthy_days else "–"
        print(f"| {world} | {days:.1f} | {healthy_days} | {of_healthy} | {false / days:.2f} | {about / max(count, 1):.2f} |")
    print()
    late = [(world, told) for world, told in incidents if not soon(told["after_ms"])]
    print("Told later than five minutes after their beginning:\n")
    for world, told in late:
        known, earliest = (lasting(since(told, name)) for name in ("knowable", "earliest"))
        said = f"by the definitions after {known}, by anybody after {earliest}; {told['told_as']}"
        print(f"- {world}, {told['at']} {told['kind']} of {told['culprit']}: after {lasting(told['after_ms'])}; {said}")
    print("\nAbout nothing known:\n")
    for world, trial, _ in trials:
        for message in trial["false_messages"]:
            day = "healthy day, " if message["is_of_healthy_day"] else ""
            print(f"- {world}, {day}{message['at']} {message['kind']}: {message['message']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look a minute for ten minutes of each incident, or until it is told, and one in ten minutes on healthy days")
    parser.add_argument("--only", choices=("incidents", "healthy"), help="days with incidents alone, or those without")
    parser.add_argument("--jobs-per-hour", type=int, help="so many jobs an hour in each world, in place of its own")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--keep", type=pathlib.Path, help="where the stores are kept, and taken from the next time")
    parser.add_argument("--binary", default=os.environ.get("EMP_EVENTS_BINARY", "emp-events"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = asked.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for world in asked.worlds.split(","):
            store, truth = simulate(asked.binary, folder, world, asked.seed, asked.jobs_per_hour)
            for until, minutes, every in looks(world, asked.seed, asked.quick, asked.only):
                part = pool.submit(looked_at_until_told, asked.binary, store, truth, until, minutes, every)
                parts.append((world, part, minutes / 1440))
        trials = []
        for world, part, days in parts:
            trials.append((world, part.result(), days))
            if sys.stderr.isatty():
                print(f"\r{len(trials)} of {len(parts)}", end="", file=sys.stderr)
        print_tables(trials)


if __name__ == "__main__":
    main()
