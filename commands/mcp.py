"""Serves the Model Context Protocol over standard input and output: a program that talks to it removes backgrounds."""

import importlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.remove import jobs_option
from config import VERSION, load_settings

if TYPE_CHECKING:
    from commands.mcp_tools import Tools
    from commands.roots import Roots


@click.command()
@click.option(
    "--root",
    "roots",
    multiple=True,
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that may be read and written, with everything below it; repeat for more.",
)
@jobs_option
def mcp(roots: tuple[Path, ...], jobs: int) -> None:
    """Serve the tools remove_background, list_models and job_status to an MCP client, over stdin and stdout."""
    try:
        importlib.import_module("mcp.server")
    except ModuleNotFoundError as exc:
        raise click.ClickException("the package mcp is missing: pip install 'background-remover[mcp]'") from exc
    from bootstrap.observability import configure_logging
    from commands.mcp_tools import Tools
    from commands.roots import Roots

    settings = load_settings()
    # Standard output is the protocol's.
    configure_logging(settings)
    opened = Roots(roots)
    tools = Tools(settings, opened, jobs)
    try:
        _server(tools, opened).run("stdio")
    finally:
        tools.stop.number = signal.SIGTERM


def _server(tools: "Tools", roots: "Roots") -> Any:
    """Return an MCP server that offers the tools."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    from commands.mcp_tools import ToolFailed

    server = MCPServer(
        "background-remover",
        version=VERSION,
        log_level="WARNING",
        instructions="Removes backgrounds of pictures in these folders: " + ", ".join(map(str, roots.folders)),
    )

    @server.tool()
    def remove_background(
        path: str, output: str | None = None, options: dict[str, Any] | None = None, overwrite: bool = False
    ) -> dict[str, Any]:
        """Remove the background of a picture, or of all pictures of a folder.

        A picture: waits, and returns the path of the result (default: <name>-no-bg.<ending> beside it). A folder:
        starts a job and returns its job_id; results go to the folder output. options, for example: format (png, webp,
        jpeg, avif), background (a colour), background_image (a path), crop, max_width, output ("mask"), model, preset.
        """
        try:
            return tools.remove_background(path, output, options or {}, overwrite)
        except ToolFailed as exc:
            raise ToolError(str(exc)) from exc

    @server.tool()
    def job_status(job_id: str) -> dict[str, Any]:
        """Return how many pictures of a folder's job are done, and which failed and why."""
        try:
            return tools.job_status(job_id)
        except ToolFailed as exc:
            raise ToolError(str(exc)) from exc

    @server.tool()
    def list_models() -> list[dict[str, Any]]:
        """List the models that the option model takes, with their purpose and licence."""
        return tools.list_models()

    return server
