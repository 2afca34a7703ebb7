//! The store in a bucket.
