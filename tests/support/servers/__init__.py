"""Run servers beside the service: databases, storages, proxies, and what callers run."""
