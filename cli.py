"""The command line: the same pipeline as the service, without a server; and `serve`, which starts one."""

import os
import sys

import click

from commands.api_keys import keys
from commands.database import db
from commands.mcp import mcp
from commands.models import fetch_missing_model, models, warmup
from commands.remove import remove
from commands.sign import sign
from commands.users import users
from commands.watch import watch
from commands.work import exit_by_signal, handling
from config import load_settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Remove image backgrounds on this machine."""
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
