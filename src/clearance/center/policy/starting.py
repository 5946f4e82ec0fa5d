"""A policy to start from, with its cases."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from clearance.center.policy.cases import beside
from clearance.center.policy.document import PolicyError


def write(file: Path) -> tuple[Path, Path]:
    """Write the policy to start from, and its cases beside it; returns both paths.

    Raises:
        PolicyError: one of these files is there already, or cannot be written.
    """
    if file.suffix.lower() not in (".yaml", ".yml"):
        raise PolicyError(f"{file}: this policy is written as YAML; give it a name that ends in .yaml.")
    files = (file, beside(file))
    for each in files:
        if each.exists():
            raise PolicyError(f"{each}: is there already, and is left as it is. Give another name, or move it away.")
    for each, source in zip(files, ("start.yaml", "start.tests.yaml"), strict=True):
        text = resources.files("clearance.center.policy").joinpath(source).read_text("utf-8")
        try:
            with each.open("x", encoding="utf-8") as new:
                new.write(text)
        except OSError as error:
            raise PolicyError(f"{each}: cannot be written ({error.strerror}).") from None
    return files
