"""The facts of a store by pandas, which reads with pyarrow. Arguments: the store, a job."""
import sys

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

store, job = sys.argv[1:]
# A folder whose name begins with an underscore is left out by pyarrow itself.
partitions = ds.partitioning(pa.schema([("date", pa.string()), ("hour", pa.string())]), flavor="hive")
events = pd.read_parquet(store, partitioning=partitions)

print("rows", len(events))
print("without job", events["job_id"].isna().sum())
print("duration_ms", "%.3f" % events["duration_ms"].sum())
print("data", events["data"].str.len().sum())
for column in ["timestamp", "ingested_at"]:
    assert str(events[column].dtype) == "datetime64[ms, UTC]", events[column].dtype
    print(column, *(int(end.timestamp() * 1000 + 0.5) for end in (events[column].min(), events[column].max())))
for service, count in events.groupby("service").size().sort_index().items():
    print("service", service, count)
for (date, hour), count in events.groupby(["date", "hour"]).size().sort_index().items():
    print("hour", date, hour, count)
for event in sorted(events.loc[events["job_id"] == job, "id"]):
    print("job", event)
