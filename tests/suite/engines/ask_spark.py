"""The facts of a store by Spark, on this machine alone. Arguments: the store, a job."""
import os
import sys
import tempfile

# Else Spark looks for an address of this machine by its name, which not every machine has.
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as f  # noqa: E402

store, job = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "2")
    # Else `hour` becomes a number, and `04` becomes 4.
    .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    .config("spark.sql.warehouse.dir", tempfile.mkdtemp())
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
events = spark.read.parquet(store).cache()


def ask(name, rows):
    for row in rows.collect():
        print(name, *row)


ask("rows", events.select(f.count("*")))
ask("without job", events.filter(f.col("job_id").isNull()).select(f.count("*")))
ask("duration_ms", events.select(f.format_string("%.3f", f.sum("duration_ms"))))
ask("data", events.select(f.sum(f.length("data"))))
for column in ["timestamp", "ingested_at"]:
    ask(column, events.select(f.unix_millis(f.min(column)), f.unix_millis(f.max(column))))
ask("service", events.groupBy("service").count().orderBy("service"))
ask("hour", events.groupBy("date", "hour").count().orderBy("date", "hour"))
ask("job", events.filter(f.col("job_id") == job).select("id").orderBy("id"))
spark.stop()
