"""The facts of a store by Polars. Arguments: the store, a job."""
import sys

import polars as pl

store, job = sys.argv[1:]
text = {"date": pl.String, "hour": pl.String}
events = pl.scan_parquet(f"{store}/date=*/hour=*/*.parquet", hive_partitioning=True, hive_schema=text)


def ask(*columns):
    return events.select(*columns).collect().row(0)


print("rows", *ask(pl.len()))
print("without job", *ask(pl.col("job_id").is_null().sum()))
print("duration_ms", "%.3f" % ask(pl.col("duration_ms").sum()))
print("data", *ask(pl.col("data").str.len_chars().cast(pl.Int64).sum()))
for column in ["timestamp", "ingested_at"]:
    ms = pl.col(column).dt.epoch("ms")
    print(column, *ask(ms.min(), ms.max().alias("max")))
for row in events.group_by("service").len().sort("service").collect().rows():
    print("service", *row)
for row in events.group_by("date", "hour").len().sort("date", "hour").collect().rows():
    print("hour", *row)
for row in events.filter(pl.col("job_id") == job).select("id").sort("id").collect().rows():
    print("job", *row)
