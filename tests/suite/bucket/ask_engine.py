"""How many events a store in a bucket has, how many different ids, and how many of one job, by another engine's own reader.

Arguments: the engine, the server, the bucket with the prefix, a job.
"""

import sys

engine, server, place, job = sys.argv[1:]
files = f"{place}/date=*/hour=*/*.parquet"

if engine == "polars":
    import polars as pl

    options = {
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "aws_endpoint_url": server,
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    text = {"date": pl.String, "hour": pl.String}
    events = pl.scan_parquet(f"s3://{files}", hive_partitioning=True, hive_schema=text, storage_options=options)
    print(*events.select(pl.len(), pl.col("id").n_unique(), (pl.col("job_id") == job).sum().alias("job")).collect().row(0))
elif engine == "pyarrow":
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    from pyarrow.fs import S3FileSystem

    system = S3FileSystem(access_key="test", secret_key="test", endpoint_override=server, region="us-east-1")
    text = ds.partitioning(pa.schema([("date", pa.string()), ("hour", pa.string())]), flavor="hive")
    events = ds.dataset(place, partitioning=text, filesystem=system, format="parquet").to_table(["id", "job_id"])
    print(events.num_rows, pc.count_distinct(events["id"]), pc.sum(pc.equal(events["job_id"], job)))
elif engine == "clickhouse":
    import chdb

    source = f"s3('{server}/{files}', 'test', 'test', 'Parquet')"
    question = f"select count(), uniqExact(id), countIf(job_id = '{job}') from {source}"
    print(str(chdb.query(question, "TabSeparated")).strip().replace("\t", " "))
