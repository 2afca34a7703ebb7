"""Asks `serve --pg-listen` as SQLAlchemy, asyncpg and pandas do, and prints what they are told as JSON.

    ask_tools.py PORT PASSWORD
"""

import asyncio
import datetime
import json
import sys

import asyncpg
import pandas
import sqlalchemy

port, password = sys.argv[1:]
told = {}

engine = sqlalchemy.create_engine(f"postgresql+psycopg://any:{password}@127.0.0.1:{port}/events")
inspector = sqlalchemy.inspect(engine)
told["schemas"] = inspector.get_schema_names()
told["tables"] = inspector.get_table_names()
told["views"] = inspector.get_view_names()
told["columns"] = {column["name"]: str(column["type"]) for column in inspector.get_columns("events")}
told["keys"] = inspector.get_pk_constraint("events")["constrained_columns"]
told["foreign"] = inspector.get_foreign_keys("events")
told["indexes"] = inspector.get_indexes("events")
told["has"] = [inspector.has_table("events"), inspector.has_table("nowhere")]
events = sqlalchemy.Table("events", sqlalchemy.MetaData(), autoload_with=engine)
query = sqlalchemy.select(events.c.service, sqlalchemy.func.count()).where(events.c.level == "error")
with engine.connect() as connection:
    rows = connection.execute(query.group_by(events.c.service).order_by(events.c.service).limit(3)).all()
    told["counted"] = [list(row) for row in rows]
frame = pandas.read_sql("select service, duration_ms, timestamp from events where duration_ms is not null limit 5", engine)
told["frame"] = {name: str(kind) for name, kind in frame.dtypes.items()}


async def ask():
    connection = await asyncpg.connect(host="127.0.0.1", port=int(port), user="any", password=password, database="events")
    told["limited"] = len(await connection.fetch("select id from events order by id limit $1", 3))
    since = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
    told["typed"] = await connection.fetchval(
        "select count(*) from events where duration_ms > $1 and timestamp > $2 and service <> $3", 10.5, since, "x")
    told["same"] = await connection.fetchval(
        "select count(*) from events where duration_ms > 10.5 and timestamp > '2025-01-01T00:00:00Z' and service <> 'x'")
    statement = await connection.prepare("select timestamp, duration_ms, level = $1 as is_error from events order by id limit 2")
    told["prepared"] = [[row["timestamp"].isoformat(), row["is_error"]] for row in await statement.fetch("error")]
    async with connection.transaction(readonly=True):
        told["cursor"] = sum([1 async for _ in connection.cursor("select id from events limit 1234", prefetch=100)])
    try:
        await connection.fetch("select * from nowhere")
    except asyncpg.PostgresError as error:
        told["unknown_table"] = error.sqlstate
    try:
        await connection.fetch("select id from events limit $1", 10**30)
    except Exception as error:
        told["too_large"] = type(error).__name__
    # What takes for ever is given up when nobody waits for it any more.
    try:
        await asyncio.wait_for(connection.fetch("select sum(length(a.id) * length(b.id) + length(c.id)) from events a, events b, events c"), 1)
    except TimeoutError:
        told["given_up"] = await connection.fetchval("select 7")
    await connection.close()


asyncio.run(ask())
print(json.dumps(told))
