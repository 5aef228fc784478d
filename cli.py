"""The command line: the same pipeline as the service, without a server; and `serve`, which starts one."""

import errno
import io
import os
import sys
from typing import Any

import click
import structlog

from commands.api_keys import keys
from commands.database import db
from commands.mcp import mcp
from commands.models import fetch_missing_model, models, warmup
from commands.remove import remove
from commands.sign import sign
from commands.users import users
from commands.watch import watch
from commands.work import exit_by_signal, find_problem, handling
from config import load_settings


class Commands(click.Group):
    """Commands that report a file's error in a line, as every other mistake."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except OSError as exc:
            # Click itself ends where the reader of standard output has gone.
            if exc.errno in (None, errno.EPIPE):
                raise
            raise click.ClickException(str(find_problem(exc))) from exc


def prepare_streams() -> None:
    """Keep log lines out of standard output, which holds results, and let no file's name fail to be written there."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Remove image backgrounds on this machine."""
    prepare_streams()
    # Click would end with 1, which `remove` has for pictures that failed.
    context.with_resource(handling(exit_by_signal))


@main.command()
def serve() -> None:
    """Serve the API and the page on HOST and PORT, with a worker for jobs, until Ctrl-C."""
    import run

    settings = load_settings()
    fetch_missing_model(settings.rembg_model_name, settings, prepare=True)
    os.environ["ANNOUNCE"] = "bgremove serve"
    sys.exit(run.main())


for command in (remove, watch, sign, mcp, models, warmup, keys, users, db):
    main.add_command(command)

if __name__ == "__main__":
    main()
