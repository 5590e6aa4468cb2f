"""Make sure that a component asks its host for what it should, and for nothing else."""

from os import PathLike
from pathlib import Path

from edgezero_spin.project.inspection import inspect_component, strangers

__all__ = ["assert_imports"]


def assert_imports(path: "str | PathLike[str]", *allowed: str) -> None:
    """Fail when a component imports something that no pattern allows, or lacks what one names.

    ```python
    assert_imports("app.wasm", "wasi:*", "fermyon:spin/key-value")
    ```

    Args:
        path: The component.
        allowed: Interfaces with or without version; ``*`` stands for anything. One without
            ``*`` has to be imported: what is not needed any more should be taken from the
            list.

    Raises:
        AssertionError: The message names each import too many and each that is missing.
        InspectionError: The file is not a component.
    """
    imports = inspect_component(Path(path)).imports
    found = strangers(imports, allowed)
    missing = [
        pattern
        for pattern in allowed
        if "*" not in pattern and len(strangers(imports, (pattern,))) == len(imports)
    ]
    lines = [f"  {name} is imported and not allowed" for name in found]
    lines += [f"  {name} is allowed and not imported" for name in missing]
    if lines:
        raise AssertionError(
            f"{path} does not import what it should:\n" + "\n".join(lines) + "\n"
            "A new capability belongs into the list of the test, or out of the app."
        )
