"""Asks `serve --pg-listen` by psycopg, and prints what it is told as JSON.

    ask_postgres.py PORT PASSWORD
"""

import json
import sys

import psycopg

port, password = sys.argv[1:]
where = f"host=127.0.0.1 port={port} user=grafana password={password} dbname=events sslmode=prefer"
told = {}
with psycopg.connect(where) as connection:
    told["version"] = connection.info.parameter_status("server_version")
    with connection.cursor() as cursor:
        cursor.execute("select service, count(*) from events where level = %s group by 1 order by 1", ("error",))
        told["names"] = [column.name for column in cursor.description]
        told["errors"] = cursor.fetchall()
        cursor.execute("select count(*) from events where service = %s", ("it's '; drop table events --",))
        told["none"] = cursor.fetchone()[0]
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select timestamp, duration_ms, job_id is null, null, 7 from events where duration_ms > %s "
            "order by id limit 1", (0.5,))
        moment, duration, is_null, nothing, seven = cursor.fetchone()
        told["binary"] = [moment.isoformat(), duration, is_null, nothing, seven]
    with connection.cursor() as cursor:
        cursor.execute("select timestamp, duration_ms, job_id is null, null, 7 from events where duration_ms > 0.5 "
                       "order by id limit 1")
        moment, duration, is_null, nothing, seven = cursor.fetchone()
        told["text"] = [moment.isoformat(), duration, is_null, nothing, seven]
        cursor.execute("select id from events order by id")
        told["rows"] = sum(1 for _ in cursor)
    try:
        connection.execute("drop table events")
        told["refused"] = None
    except psycopg.Error as error:
        told["refused"] = str(error)
    connection.rollback()
    told["after"] = connection.execute("select 1").fetchone()[0]
try:
    psycopg.connect(where.replace(password, "wrong-password-here"))
    told["wrong"] = None
except psycopg.OperationalError as error:
    told["wrong"] = str(error)
print(json.dumps(told))
