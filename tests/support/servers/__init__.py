"""The servers that tests run alongside the service: databases, storages, proxies, receivers of webhooks and of mail."""
