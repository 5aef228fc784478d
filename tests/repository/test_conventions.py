"""Check conventions that keep the code simple."""

import ast
import subprocess
import sys

from tests.support.waiting import ROOT


def test_views_contain_no_try() -> None:
    for path in (path for path in (ROOT / "routes").glob("*.py") if path.name != "__init__.py"):
        tree = ast.parse(path.read_text())
        views = [n for n in tree.body if isinstance(n, ast.FunctionDef) and ast.unparse(n.returns or n) == "Response"]
        assert views
        for view in views:
            assert not any(isinstance(node, ast.Try) for node in ast.walk(view)), view.name


def test_importing_the_app_creates_no_session_and_imports_no_unused_library() -> None:
    # The last line checks that a later import still gets the real scipy.
    script = (
        "import app, sys; assert 'onnxruntime' not in sys.modules;"
        "from services.inference.runtime import import_rembg; import_rembg();"
        "assert not {'rembg', 'rembg.bg', 'numba', 'scipy', 'skimage', 'boto3', 'celery'} & set(sys.modules);"
        "accounts = {'argon2', 'authlib', 'joserfc', 'routes.accounts', 'services.accounts.accounts'};"
        "assert not accounts & set(sys.modules);"
        "import threading; assert threading.active_count() == 1;"
        "import scipy.ndimage; assert scipy.ndimage.map_coordinates"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, check=True, timeout=60)
