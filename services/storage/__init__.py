"""Object storage: originals and results under keys, in a local folder or in S3, behind the Protocol `Storage`.

Jobs, HTTP and settings stay out: callers choose keys and pass bytes.
"""
