"""Accounts of people: their table, passwords, sessions and tokens, email, and sign-in at an OpenID provider.

Nothing of it is loaded with `ACCOUNTS=off`. Cookies and headers belong to `routes/`.
"""
