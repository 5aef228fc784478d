"""Logs, metrics and health checks.

The lowest package: of the others it imports only the errors; callers pass facts and callables in.
"""
