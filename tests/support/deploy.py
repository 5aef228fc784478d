"""Expected values of the deployment files."""

import run
from config import Settings

WORKER = ["celery", "-A", "worker", "worker", *run.CELERY_FLAGS]


def settings_names() -> set[str]:
    return {name.upper() for name in Settings.model_fields}
