"""Gunicorn's worker class of this service: how a connection becomes a request that has a thread, and how it ends.

No view, no field and no body enters: only the name under which the app keeps its parts.
"""
