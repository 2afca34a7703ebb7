#!/usr/bin/env python3
"""What questions to a store in a bucket cost: requests, how many had to wait for another one, bytes, and time.

    emp-events simulate --hours 8760 --jobs-per-hour 20 --from 2025-01-01T00:00:00Z --into year
    scripts/measure-bucket.py target/release/emp-events year [--delay 50]

It is an S3 server in memory, behind a delay for each request, and asks it what docs/scale.md has the figures of. The
store is archived into it first; nothing else is kept.
"""

import argparse
import asyncio
import csv
import os
import subprocess
import tempfile
import threading
import time
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from zlib import crc32

OBJECTS, ASKED = {}, []
DELAY = 0.0


def answered(method, target, headers, body):
    """Status, headers and body of what S3 would say, as far as it is asked here."""
    url = urlsplit(target)
    key = unquote(url.path).lstrip("/").split("/", 1)[-1]
    if method == "PUT":
        kept = {name: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
        OBJECTS[key] = (body, f'"{crc32(body):08x}-{len(body)}"', kept)
        return 200, {"ETag": OBJECTS[key][1]}, b""
    if method == "DELETE":
        OBJECTS.pop(key, None)
        return 204, {}, b""
    if "list-type" in parse_qs(url.query):
        return 200, {}, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    if key not in OBJECTS:
        return 404, {}, b"<Error><Code>NoSuchKey</Code></Error>"
    content, tag, kept = OBJECTS[key]
    more = {"ETag": tag, "Last-Modified": formatdate(0, usegmt=True), **kept}
    if headers.get("if-none-match") == tag:
        return 304, more, b""
    wanted = headers.get("range", "").removeprefix("bytes=")
    if wanted:
        first, last = (int(part) for part in wanted.split("-"))
        more["Content-Range"] = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
        return 206, more, content[first : last + 1]
    return 200, more, content


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            began = time.monotonic()
            method, target, _ = head[0].split(" ")
            headers = {}
            for line in filter(None, head[1:]):
                name, value = line.split(":", 1)
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await asyncio.sleep(DELAY)
            status, more, content = answered(method, target, headers, body)
            length = 0 if method == "HEAD" else len(content)
            # The size of what a HEAD does not send.
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
            lines += [f"{name}: {value}" for name, value in more.items()]
            ASKED.append((began, time.monotonic(), length))
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (content if length else b""))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def start():
    loop, port = asyncio.new_event_loop(), []

    def run():
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
        port.append(server.sockets[0].getsockname()[1])
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    while not port:
        time.sleep(0.01)
    return port[0]


def depth():
    """The longest chain of requests of which each began after the one before had ended."""
    deep, free = 0, 0.0
    for began, ended, _ in sorted(ASKED, key=lambda asked: asked[1]):
        if began >= free:
            deep, free = deep + 1, ended
    return deep


def main():
    global DELAY
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program")
    words.add_argument("store")
    words.add_argument("--delay", type=float, default=50.0, help="how long each request takes, in ms")
    given = words.parse_args()
    home = tempfile.mkdtemp()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{start()}", "AWS_ACCESS_KEY_ID": "x", "HOME": home}
    settings |= {"AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1", "XDG_CACHE_HOME": f"{home}/cache"}

    def ask(store, *question):
        ASKED.clear()
        begun, before = time.monotonic(), os.times()
        run = [given.program, "--store", store, "--format", "csv", *question]
        if question[0] in ("archive", "timeline"):
            run[3:5] = []
        done = subprocess.run(run, env=settings, capture_output=True, text=True)
        took, after = time.monotonic() - begun, os.times()
        assert done.returncode == 0, done.stderr
        return done.stdout, took, after.children_user + after.children_system - before.children_user - before.children_system

    ask(given.store, "archive", "--to", "s3://bucket/year")
    jobs = "select job_id from events where event_type = 'job.completed' order by ingested_at"
    jobs = [row[0] for row in csv.reader(ask(given.store, "sql", jobs)[0].splitlines())][1:]
    one, other = jobs[len(jobs) // 4], jobs[len(jobs) * 3 // 4]
    DELAY = given.delay / 1000
    cache = f"{home}/cache"
    month = "select date_trunc('month', timestamp), count(*) from events group by 1"
    scan = "select count(*), sum(length(data)) from events"
    print(f"load {os.getloadavg()[0]:.1f}, {given.delay:.0f} ms a request, {len(OBJECTS)} objects")
    print(f"{'question':<36}{'requests':>9}{'deep':>6}{'MB':>8}{'s':>7}{'CPU s':>7}")
    for name, is_cold, *question in [
        ("timeline JOB, nothing cached", True, "timeline", one),
        ("another job", False, "timeline", other),
        ("the same again", False, "timeline", other),
        ("count(*)", False, "sql", "select count(*) from events"),
        ("events by month", False, "sql", month),
        ("events by month, again", False, "sql", month),
        ("all of it read, nothing cached", True, "sql", scan),
        ("all of it read, again", False, "sql", scan),
    ]:
        if is_cold:
            subprocess.run(["rm", "-rf", cache], check=True)
        _, took, processor = ask("s3://bucket/year", *question)
        print(f"{name:<36}{len(ASKED):>9}{depth():>6}{sum(size for *_, size in ASKED) / 1e6:>8.2f}{took:>7.2f}{processor:>7.2f}")


if __name__ == "__main__":
    main()
