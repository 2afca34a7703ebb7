"""The facts of a store by ClickHouse local (chdb). Arguments: the store, a job."""
import sys

import chdb

store, job = sys.argv[1:]
events = f"file('{store}/date=*/hour=*/*.parquet', Parquet)"
# `date` and `hour` come from the path; without this, `hour` is a number.
settings = "settings use_hive_partitioning = 0"
partition = "extract(_path, 'date=([^/]+)') as date, extract(_path, 'hour=([^/]+)') as hour"


def ask(name, columns, rest=""):
    rows = str(chdb.query(f"select {columns} from {events} {rest} {settings}", "TSV"))
    for row in rows.splitlines():
        print(name, *row.split("\t"))


ask("rows", "count()")
ask("without job", "countIf(job_id is null)")
ask("duration_ms", "toDecimalString(sum(duration_ms), 3)")
ask("data", "sum(lengthUTF8(data))")
for column in ["timestamp", "ingested_at"]:
    ask(column, f"toUnixTimestamp64Milli(min({column})), toUnixTimestamp64Milli(max({column}))")
ask("service", "service, count()", "group by service order by service")
ask("hour", f"{partition}, count()", "group by date, hour order by date, hour")
ask("job", "id", f"where job_id = '{job}' order by id")
