"""Set up the bucket of STORAGE_URL: make it, close it to the public, let old files of jobs expire, and try the rights.

    .venv/bin/python scripts/init_storage.py [--days 30] [--results-days 30]

`--days` is for originals, masks and whatever else only jobs have. Results expire only with `--results-days`: those that
callers have stored under keys of their own (`output_key`) are in the same place.

Reads the service's settings (environment and .env). Safe to repeat: existing rules stay. The credentials need the
right to make and configure buckets; the service itself needs only those that are tried at the end
(docs/guides/operations.md).
"""

import argparse
import sys
import uuid
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from config import Settings, load_settings
from services.jobs.retention import PREFIXES
from services.storage.factory import parse_storage_url

# The sweeper deletes files of jobs after JOB_RESULT_TTL_SECONDS. The rules are for what it leaves when it does not run.
RESULTS: Final = "results/"
OF_JOBS_ALONE: Final = tuple(prefix for prefix in PREFIXES if prefix != RESULTS)
OURS: Final = "background-remover "
SECONDS_PER_DAY: Final = 86400
# Codes of servers that lack an operation of AWS.
UNSUPPORTED: Final = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
ALREADY: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


def main(words: list[str]) -> int:
    """Set up the bucket and report each step; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=30, help="after which files of jobs expire (default: 30)")
    parser.add_argument("--results-days", type=int, help="after which results expire (default: never)")
    given = parser.parse_args(words)
    expiry = dict.fromkeys(OF_JOBS_ALONE, given.days)
    if given.results_days is not None:
        expiry[RESULTS] = given.results_days
    settings = load_settings()
    kind, bucket = parse_storage_url(settings.storage_url) if settings.storage_url else ("", "")
    if kind != "s3":
        found = settings.storage_url or "empty"
        print(f"STORAGE_URL is {found}; it has to name a bucket, as s3://images", file=sys.stderr)
        return 2
    least = -(-settings.job_result_ttl_seconds // SECONDS_PER_DAY) + 1
    if (fewest := min(expiry.values())) < least:
        print(f"{fewest} days are too few; JOB_RESULT_TTL_SECONDS keeps files for up to {least} days", file=sys.stderr)
        return 2
    try:
        set_up(make_client(settings), bucket, expiry, settings)
    except (ClientError, BotoCoreError) as exc:
        print(f"{bucket}: {exc}", file=sys.stderr)
        return 1
    return 0


def set_up(client: Any, bucket: str, expiry: dict[str, int], settings: Settings) -> None:
    """Make and configure the bucket. Raises boto3's errors."""
    region = settings.aws_region
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region not in ("", "us-east-1") else {}
    attempt("bucket", lambda: client.create_bucket(Bucket=bucket, **elsewhere), there=ALREADY)
    closed = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    attempt(
        "no public access",
        lambda: client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed),
    )
    rules = lifecycle(existing_rules(client, bucket), expiry)
    attempt(
        ", ".join(f"{prefix} expires after {days} days" for prefix, days in expiry.items()),
        lambda: client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules}),
    )
    try_rights(client, bucket, settings)
    print("ok    rights: put, get, list, delete")


def lifecycle(existing: list[dict[str, Any]], expiry: dict[str, int]) -> list[dict[str, Any]]:
    """Return the bucket's rules with ours, days by prefix; rules of the operator stay."""
    ours: list[dict[str, Any]] = [
        {
            "ID": f"{OURS}{prefix}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "Expiration": {"Days": days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        }
        for prefix, days in expiry.items()
    ]
    return [rule for rule in existing if not str(rule.get("ID", "")).startswith(OURS)] + ours


def existing_rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    """Return the bucket's lifecycle rules. Raises `ClientError` for other reasons than that there are none."""
    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as exc:
        if code_of(exc) != "NoSuchLifecycleConfiguration" and code_of(exc) not in UNSUPPORTED:
            raise
        return []
    rules: list[dict[str, Any]] = found.get("Rules", [])
    return rules


def try_rights(client: Any, bucket: str, settings: Settings) -> None:
    """Write, read, list and delete an object as the service does. Raises boto3's errors."""
    key = f"results/init-storage-{uuid.uuid4().hex}"
    encryption = {} if settings.s3_encryption == "none" else {"ServerSideEncryption": settings.s3_encryption}
    client.put_object(Bucket=bucket, Key=key, Body=b"try", **encryption)
    try:
        client.get_object(Bucket=bucket, Key=key)["Body"].read()
        client.list_objects_v2(Bucket=bucket, Prefix=key)
    finally:
        client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})


def attempt(step: str, call: Any, there: frozenset[str] = frozenset()) -> None:
    """Do one step and print how it went. Raises `ClientError`, but not where the server lacks the operation."""
    try:
        call()
    except ClientError as exc:
        if code_of(exc) in there:
            print(f"ok    {step}: there already")
            return
        if code_of(exc) in UNSUPPORTED:
            print(f"skip  {step}: this server can't")
            return
        raise
    print(f"ok    {step}")


def code_of(exc: ClientError) -> str:
    """Return the server's error code."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def make_client(settings: Settings) -> Any:
    """Return a boto3 client with the service's settings."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url or None,
        region_name=settings.aws_region or None,
        aws_access_key_id=settings.aws_access_key_id or None,
        aws_secret_access_key=settings.aws_secret_access_key or None,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
