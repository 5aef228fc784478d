"""The package that a wheel installs: the modules of the service, and the command `bgremove`.

The modules keep the names that they have in a clone (`app`, `config`, `services`, …). So that these never meet another
project's modules in site-packages, they are inside this package, whose folder is put on the path by the command.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line."""
    folder = str(Path(__file__).resolve().parent)
    sys.path.insert(0, folder)
    # Gunicorn, Celery and the sweeper are processes of their own.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")]))
    from cli import main as command_line

    command_line(prog_name="bgremove")
