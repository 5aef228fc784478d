"""The endpoints of accounts, there with `ACCOUNTS=local` or `oidc`. Nothing imports them otherwise."""
