"""Webhooks: signed notifications of a job's end."""
