"""The servers that tests start beside the service: databases, storages, proxies, and receivers of webhooks and mail."""
