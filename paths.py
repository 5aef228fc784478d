"""Where the program is, and where its data are.

In a clone or a container both are the same folder. Installed from a wheel, the data are in the user's data folder.
`BGREMOVE_HOME` names another one.
"""

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent
# The wheel puts this file into a package; the root of a clone is not one.
INSTALLED: Final = (ROOT / "__init__.py").is_file()


def data_home() -> Path:
    """Return the folder that relative paths in the settings are relative to."""
    if chosen := os.environ.get("BGREMOVE_HOME"):
        return Path(chosen).expanduser().absolute()
    if not INSTALLED:
        return ROOT
    # Imported here: a clone's processes do not need it.
    import platformdirs

    return platformdirs.user_data_path("background-remover")


HOME: Final = data_home()


def env_files() -> tuple[Path, Path]:
    """Return the `.env` files that are read: the one in HOME, and the current folder's, which wins."""
    return HOME / ".env", Path(".env")


def in_home(path: Path) -> Path:
    """Return the path, relative to the data's folder unless it is absolute."""
    return HOME / path.expanduser()
