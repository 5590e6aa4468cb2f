"""Read the package's own source: its modules, their imports and their public names.

Shared by the tests that hold the plan of the house and the public surface.
Nothing here imports the modules it reads.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "PACKAGE",
    "Import",
    "bound_names",
    "defined_names",
    "exported_names",
    "imports_of",
    "modules",
    "parse",
]

PACKAGE = Path(__file__).parent.parent / "edgezero_spin"


class Import(NamedTuple):
    """One imported module, as an absolute dotted name, and where it stands."""

    module: str
    line: int
    top_level: bool
    typing_only: bool

    @property
    def root(self) -> str:
        """The distribution-level name: ``wasmtime`` for ``wasmtime.component``."""
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        """The room of ours that it comes from; the package itself is ``__init__``."""
        return self.module.split(".")[1] if "." in self.module else "__init__"

    @property
    def ours(self) -> bool:
        """Whether the module is part of this package."""
        return self.root == PACKAGE.name

    @property
    def third_party(self) -> bool:
        """Whether the module is neither ours nor the standard library's."""
        return not self.ours and self.root not in sys.stdlib_module_names


def modules(folder: Path = PACKAGE) -> list[Path]:
    """Every Python file of a folder, in path order."""
    return sorted(folder.rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a file, the ones inside functions included."""
    yield from _walk(parse(path), path, top_level=True, typing_only=False)


def _walk(node: ast.AST, path: Path, *, top_level: bool, typing_only: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, top_level, typing_only)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, path)
        # `from edgezero_spin import core` imports the room, not only the package.
        for name in {_module_of(base, alias.name) for alias in node.names}:
            yield Import(name, node.lineno, top_level, typing_only)
    inside_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in ast.iter_child_nodes(node):
        yield from _walk(
            child,
            path,
            top_level=top_level and not inside_function,
            typing_only=typing_only or guarded,
        )


def _module_of(base: str, name: str) -> str:
    """The module that a name comes from: one below ``base`` where there is one."""
    place = PACKAGE.parent.joinpath(*base.split("."), name)
    is_module = place.with_suffix(".py").exists() or (place / "__init__.py").exists()
    return f"{base}.{name}" if is_module or base == PACKAGE.name else base


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[: -node.level]
    return ".".join([*package, *(node.module or "").split(".")]).rstrip(".")


def exported_names(tree: ast.Module) -> list[str] | None:
    """The texts in ``__all__``, or ``None`` when the module has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [
            "__all__"
        ]:
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def defined_names(tree: ast.Module) -> set[str]:
    """The public classes and functions of a module; its constants may stay its own."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    }


def bound_names(tree: ast.Module) -> set[str]:
    """Every name that importing the module leaves in it, its own imports included.

    Imports for the type checker alone count: what they promise, ``__getattr__`` delivers.
    """
    names = defined_names(tree)
    guarded = [node for block in tree.body if isinstance(block, ast.If) for node in block.body]
    for node in [*tree.body, *guarded]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names
