"""Commands that report mistakes in a line instead of a traceback."""

import click

from services.errors import ServiceError


class Explained(click.Command):
    """A command whose wrong values end with 2, as click's own, and other errors of ours with 1."""

    def invoke(self, context: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(context)
        except ServiceError as exc:
            raise click.ClickException(str(exc)) from exc
        except ValueError as exc:
            raise click.UsageError(str(exc), context) from exc
