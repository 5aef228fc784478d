"""Fetching what a caller names by URL: parsing, public addresses only, one bounded HTTP client.

Nothing of images or jobs enters.
"""
