"""Makes the accounts of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from config import Settings

if TYPE_CHECKING:
    from services.accounts.accounts import Accounts
    from services.persistence.database import Database


def make_accounts(settings: Settings, database: Database) -> Accounts:
    """Return the accounts of people."""
    from services.accounts.accounts import Accounts, Post
    from services.accounts.mail import Mailer, SmtpServer
    from services.accounts.outbox import Outbox
    from services.accounts.passwords import Passwords
    from services.accounts.sessions import Sessions
    from services.accounts.signed import SignedTokens

    post = None
    if settings.smtp_url:
        mailer = Mailer(SmtpServer.parse(settings.smtp_url), settings.mail_from)
        post = Post(mailer, Outbox(), settings.public_base)
    signed = SignedTokens(settings.secret_key)
    accounts = Accounts(
        database,
        Sessions(database, signed),
        Passwords(),
        post=post,
        registration=settings.accounts_registration,
    )
    if settings.accounts == "oidc":
        from services.accounts.oidc import Provider

        client = settings.oidc_client_id, settings.oidc_client_secret
        redirect_uri = f"{settings.public_base}/api/v1/auth/oidc/callback"
        accounts.provider = Provider(settings.oidc_issuer, client, redirect_uri, signed)
    return accounts
