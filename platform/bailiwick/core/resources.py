"""Files that travel beside the code: migrations and the shipped policy bundle."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled(name: str) -> Path:
    """The folder `name`: inside an installed package, or at the root of a checkout."""
    packaged = _PACKAGE / "_bundled" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent.parent / name
