"""What a test does to a bucket of a server that checks signatures, past the program that is tested.

s3_objects.py ENDPOINT KEY SECRET make BUCKET
                                  names BUCKET              one a line
                                  put BUCKET NAME           the bytes are its standard input
"""

import sys

import boto3

endpoint, key, secret, action, bucket, *rest = sys.argv[1:]
s3 = boto3.client(
    "s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1"
)
match action:
    case "make":
        s3.create_bucket(Bucket=bucket)
    case "names":
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                print(found["Key"])
    case "put":
        s3.put_object(Bucket=bucket, Key=rest[0], Body=sys.stdin.buffer.read())
