"""Tiers: names that callers choose a model by (`fast`, `good`, `best`), mapped to models by the operator."""

from collections.abc import Collection, Mapping
from typing import Final

# From the least effort to the most.
TIERS: Final = ("fast", "good", "best")
EXAMPLE: Final = "fast=u2netp,good=isnet-general-use,best=birefnet-general"


def parse_tiers(text: str) -> dict[str, str]:
    """Parse `fast=u2netp,best=birefnet-general`. Raises `ValueError`, which says what is wrong and what is allowed."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        tier, equals, model = (piece.strip() for piece in part.partition("="))
        if not equals or not model or tier not in TIERS:
            raise ValueError(
                f"{part!r:.80} is not a tier and a model: {EXAMPLE} names {', '.join(TIERS)}, or some of them"
            )
        if tier in found:
            raise ValueError(f"the tier {tier} is given twice")
        found[tier] = model
    return found


def check_tiers(tiers: Mapping[str, str], enabled: Collection[str]) -> None:
    """Raise `ValueError` for a tier whose model is not enabled."""
    for tier, model in tiers.items():
        if model not in enabled:
            raise ValueError(
                f"the tier {tier} is {model!r:.80}, which is not enabled: add it to MODELS_ENABLED "
                f"(enabled: {', '.join(enabled)})"
            )


def complete_tiers(tiers: Mapping[str, str], default: str) -> dict[str, str]:
    """Return every tier's model: one that is not named has that of the tier below it, the lowest `default`."""
    found, model = {}, default
    for tier in TIERS:
        model = found[tier] = tiers.get(tier, model)
    return found
