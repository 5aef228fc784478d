"""Asynchronous jobs: their tables, state transitions, queue, worker, recovery, webhooks, retention and metrics.

The database is the source of truth (decision 015). No Flask, no settings and no image processing belong here; only
`store.py` changes the tables `jobs` and `job_items`.
"""
