"""API keys: their table, creation and revocation, the cache through which a serving process looks them up,
and their usage with monthly quotas.

How a request carries a key, and what its scopes allow there, belongs to `routes/http`.
"""
