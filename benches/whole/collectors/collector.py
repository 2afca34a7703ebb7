"""What a Python team would write: hiredis reads, pyarrow writes Parquet. No fsync, no exactly once.

Usage: collector.py REDIS_URL STREAM GROUP FOLDER. Drains the stream, and prints how many entries
it took and the most memory it used, in kB.
"""

import resource
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import redis

READ = 1_000
ROWS_PER_FILE = 100_000
COLUMNS = ["id", "timestamp", "service", "eventType", "traceId", "jobId", "workerId", "level", "data"]


def main(url, stream, group, folder):
    client = redis.Redis.from_url(url)
    client.xgroup_create(stream, group, id="0")
    taken, files = 0, 0
    columns = {name: [] for name in COLUMNS}
    while True:
        reply = client.xreadgroup(group, "python", {stream: ">"}, count=READ)
        if not reply:
            break
        entries = reply[0][1]
        for entry_id, fields in entries:
            columns["id"].append(entry_id)
            for name in COLUMNS[1:]:
                columns[name].append(fields.get(name.encode()))
        client.xack(stream, group, *[entry_id for entry_id, _ in entries])
        taken += len(entries)
        if len(columns["id"]) >= ROWS_PER_FILE:
            write(columns, f"{folder}/{files}.parquet")
            files += 1
            columns = {name: [] for name in COLUMNS}
    if columns["id"]:
        write(columns, f"{folder}/{files}.parquet")
    print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def write(columns, path):
    arrays = {name: pa.array(values, pa.binary()).cast(pa.string()) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), path, compression="zstd")


main(*sys.argv[1:])
