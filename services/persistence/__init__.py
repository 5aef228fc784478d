"""Access to the database and Redis, and small in-process caches: connections, time limits, errors. No tables, no
queries and no rules of jobs or API keys.
"""
