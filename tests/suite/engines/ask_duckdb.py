"""The facts of a store by DuckDB. Arguments: the store, a job."""
import sys

import duckdb

store, job = sys.argv[1:]
events = f"read_parquet('{store}/date=*/hour=*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"


def ask(columns, rest=""):
    return duckdb.sql(f"select {columns} from {events} {rest}").fetchall()


print("rows", *ask("count(*)")[0])
print("without job", *ask("count(*) - count(job_id)")[0])
print("duration_ms", "%.3f" % ask("sum(duration_ms)")[0][0])
print("data", *ask("sum(length(data))")[0])
for column in ["timestamp", "ingested_at"]:
    print(column, *ask(f"epoch_ms(min({column})), epoch_ms(max({column}))")[0])
for row in ask("service, count(*)", "group by 1 order by 1"):
    print("service", *row)
for row in ask("date, hour, count(*)", "group by 1, 2 order by 1, 2"):
    print("hour", *row)
for row in ask("id", f"where job_id = '{job}' order by id"):
    print("job", *row)
