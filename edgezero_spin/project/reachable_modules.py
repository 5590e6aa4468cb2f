"""Modules that an app can import, found by reading import statements.

In: the names that it starts from, and the folders that are searched, in order. Out: a
``Reachable``: every module of these folders that an import statement leads to, at the top of
a module or inside a function, with the strings that the app's own modules contain.

Nothing is imported. The standard library is left out, because all of it travels; so is what
no component can use (``NATIVE_ONLY``).

A package whose modules import by computed names (``import_module(name)``) is taken whole.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

__all__ = ["NATIVE_ONLY", "FoundModule", "Reachable", "find_reachable"]

NATIVE_ONLY = frozenset(
    {
        *("edgezero_spin", "edgezero_spin_pytest", "wit_world", "componentize_py"),
        *("_pytest", "hypothesis", "mypy", "pip", "pkg_resources", "pluggy", "pytest"),
        *("setuptools", "uvicorn", "uvloop", "wasmtime", "wheel", "IPython", "ipykernel"),
    }
)
"""Packages that run beside an app and never inside a component."""

_EXTENSIONS = (".so", ".pyd")
_TESTS = ("test", "tests", "conftest")
_MOST_MODULES = 20_000


@attrs.frozen(kw_only=True)
class FoundModule:
    """A module that can be imported.

    Attributes:
        name: Its full name.
        folder: The number of the searched folder that holds it.
        path: Its file; the folder of a namespace package.
        kind: ``module``, ``package``, ``namespace`` or ``extension``.
    """

    name: str
    folder: int
    path: Path
    kind: str


@attrs.frozen
class Reachable:
    """What an app can import.

    Attributes:
        modules: By name, without the standard library.
        standard: Names in the standard library that an import statement mentions.
        strings: The strings in the app's own modules, with the folder of each module.
        missing: Names that were asked for and are nowhere.
        direct: The packages that the app's own modules import or that were asked for.
    """

    modules: dict[str, FoundModule]
    standard: frozenset[str]
    strings: frozenset[tuple[Path, str]]
    missing: tuple[str, ...]
    direct: frozenset[str]


def find_reachable(
    start: Iterable[str],
    folders: Sequence[Path],
    *,
    own: int = 0,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> Reachable:
    """Follow the import statements of some modules to the end.

    Args:
        start: Full names of modules. Those that are nowhere are passed over.
        folders: Where modules are looked up, the first one that has a name wins.
        own: The number of the app's own folder; the strings of its modules are kept.
        include: Modules and whole packages that are wanted in any case.
        exclude: Modules and packages that are not wanted.

    Returns:
        The modules, and what they say.
    """
    search = _Search(folders, own, frozenset(exclude))
    missing = tuple(name for name in include if not search.add(name, whole=True))
    for name in start:
        search.add(name)
    search.direct.update(each.name.partition(".")[0] for each in search.found.values())
    search.run()
    return Reachable(
        modules=search.found,
        standard=frozenset(search.standard),
        strings=frozenset(search.strings),
        missing=missing,
        direct=frozenset(search.direct),
    )


class _Search:
    def __init__(self, folders: Sequence[Path], own: int, exclude: frozenset[str]) -> None:
        self.folders = folders
        self.own = own
        self.exclude = exclude
        self.found: dict[str, FoundModule] = {}
        self.standard: set[str] = set()
        self.strings: set[tuple[Path, str]] = set()
        self.direct: set[str] = {"tzdata"}
        self._unread: list[FoundModule] = []
        self._unknown: set[str] = set()
        self._whole: set[str] = set()

    def add(self, name: str, *, whole: bool = False) -> bool:
        """Take a module with the packages above it; say whether there is one."""
        parts = name.split(".")
        if parts[0] in sys.stdlib_module_names:
            self.standard.add(name)
            if parts[0] == "zoneinfo":
                # Read by zoneinfo itself, where it is installed.
                self.add("tzdata", whole=True)
            return True
        if parts[0] in NATIVE_ONLY:
            return False
        module = None
        for count in range(1, len(parts) + 1):
            module = self._take(".".join(parts[:count]))
            if module is None:
                return False
        if whole and module is not None:
            self._take_all(module)
        return True

    def _take(self, name: str) -> FoundModule | None:
        if name in self.found:
            return self.found[name]
        if name in self._unknown or self._is_excluded(name):
            return None
        module = self._look_up(name)
        if module is None or len(self.found) >= _MOST_MODULES:
            self._unknown.add(name)
            return None
        self.found[name] = module
        if module.kind in ("module", "package"):
            self._unread.append(module)
        return module

    def _is_excluded(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:count]) in self.exclude for count in range(1, len(parts) + 1))

    def _look_up(self, name: str) -> FoundModule | None:
        parent, _, last = name.rpartition(".")
        if not parent:
            places = list(enumerate(self.folders))
        else:
            above = self.found[parent]
            if above.kind not in ("package", "namespace"):
                return None
            base = above.path.parent if above.kind == "package" else above.path
            places = [(above.folder, base)]
        namespace = None
        for number, folder in places:
            package = folder / last
            if (package / "__init__.py").is_file():
                path = package / "__init__.py"
                return FoundModule(name=name, folder=number, path=path, kind="package")
            path = folder / f"{last}.py"
            if path.is_file():
                return FoundModule(name=name, folder=number, path=path, kind="module")
            for suffix in _EXTENSIONS:
                for path in sorted(folder.glob(f"{_literal(last)}.*{suffix}")):
                    return FoundModule(name=name, folder=number, path=path, kind="extension")
            if namespace is None and package.is_dir() and _has_modules(package):
                namespace = FoundModule(name=name, folder=number, path=package, kind="namespace")
        return namespace

    def _take_all(self, module: FoundModule) -> None:
        if module.name in self._whole or module.kind not in ("package", "namespace"):
            return
        self._whole.add(module.name)
        folder = module.path.parent if module.kind == "package" else module.path
        for name in sorted(_names_in(folder)):
            below = self._take(f"{module.name}.{name}")
            if below is not None:
                self._take_all(below)

    def run(self) -> None:
        """Read what was taken until nothing new turns up."""
        while self._unread:
            self._read(self._unread.pop())

    def _read(self, module: FoundModule) -> None:
        try:
            tree = ast.parse(module.path.read_bytes())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return
        if module.name in self.exclude:
            return
        base = module.name if module.kind == "package" else module.name.rpartition(".")[0]
        own = module.folder == self.own
        computed = False
        before = set(self.found) if own else set()
        for node in _running(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.add(alias.name)
            elif isinstance(node, ast.ImportFrom):
                source = _absolute(node.module or "", node.level, base)
                if source and self.add(source):
                    for alias in node.names:
                        self.add(f"{source}.{alias.name}")
            elif isinstance(node, ast.Call) and _imports_by_name(node.func):
                computed = computed or not (node.args and isinstance(node.args[0], ast.Constant))
                if node.args and isinstance(node.args[0], ast.Constant):
                    self._named(node.args[0].value, base)
        if computed or own:
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    if own and len(node.value) < 512:
                        self.strings.add((module.path.parent, node.value))
                    if computed:
                        self._named(node.value, base)
        if computed and "." in f"{base}.":
            top = self.found.get(module.name.partition(".")[0])
            if top is not None and base:
                self._take_all(top)
        if own:
            self.direct.update(name.partition(".")[0] for name in self.found.keys() - before)

    def _named(self, text: object, base: str) -> None:
        """Take what a string names, a package whole if the string ends in its dot."""
        if not isinstance(text, str) or not 0 < len(text) < 200:
            return
        level = len(text) - len(text.lstrip("."))
        whole = text.endswith(".") and level < len(text)
        name = _absolute(text[level:].rstrip("."), level, base)
        if name and all(part.isidentifier() for part in name.split(".")) and self._exists(name):
            self.add(name, whole=whole)

    def _exists(self, name: str) -> bool:
        """Whether there is a module of that name; what is above it is taken only then."""
        if name.partition(".")[0] in sys.stdlib_module_names:
            return True
        kept, unread, unknown = dict(self.found), list(self._unread), set(self._unknown)
        exists = self.add(name)
        if not exists:
            self.found, self._unread, self._unknown = kept, unread, unknown
        return exists


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a module without what only type checkers read."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _imports_by_name(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def _absolute(name: str, level: int, base: str) -> str:
    """Resolve a relative name against the package of the module that says it."""
    if level == 0:
        return name
    parts = base.split(".") if base else []
    if level > len(parts):
        return ""
    parts = parts[: len(parts) - level + 1]
    return ".".join([*parts, name] if name else parts)


def _names_in(folder: Path) -> Iterator[str]:
    """Yield what a package holds, without its tests."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        name = path.name.partition(".")[0]
        if name in _TESTS or name.startswith("test_") or not name.isidentifier():
            continue
        code = path.suffix == ".py" or path.suffix in _EXTENSIONS
        if name != "__init__" and (code or (path / "__init__.py").is_file()):
            yield name


def _has_modules(folder: Path) -> bool:
    """Whether a folder without ``__init__.py`` can be meant as a package."""
    if folder.name.startswith((".", "__")):
        return False
    try:
        return any(
            path.suffix == ".py" or (path / "__init__.py").is_file() for path in folder.iterdir()
        )
    except OSError:
        return False


def _literal(name: str) -> str:
    return name.replace("[", "[[]")
