"""Logs, metrics and health checks.

The lowest room: it imports nothing of the others but the errors, and gets facts and callables handed in.
"""
