mod amounts;
mod buckets;
mod moments;
mod shown;
