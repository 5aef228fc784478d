"""Notifications of buckets, on their way from the web server to the watches."""
