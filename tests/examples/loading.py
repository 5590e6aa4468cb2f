"""Import the modules of an example under names that cannot meet those of another."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["EXAMPLES", "load"]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def load(example: str, module: str) -> ModuleType:
    """Import ``examples/<example>/<module>.py``, once."""
    name = f"examples_{example}_{module}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / example / f"{module}.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"no module {module} in the example {example}")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded
        spec.loader.exec_module(loaded)
    return sys.modules[name]
