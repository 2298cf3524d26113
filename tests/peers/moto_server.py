"""A server that speaks S3, of moto: tells its port, makes the bucket, and serves until it is ended."""

from __future__ import annotations

import sys
import time

import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]
from moto.server import ThreadedMotoServer  # type: ignore[import-not-found,import-untyped,unused-ignore]


def main(bucket: str) -> None:
    """Serve on a free port of loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket=bucket)
    print(f"ready {port}", flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
