"""API keys: their table, creation and revocation, and the cache through which a serving process looks them up.

How a request carries a key, and what its scopes allow there, belongs to `routes/http`.
"""
