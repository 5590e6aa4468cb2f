"""Declarations of an app, read in a process of its own.

In: ``module`` and attribute, and the folder. Out: an ``AppLook``, or an error that says what
is wrong in the app's own terms. Nothing of the app is ever imported into this process.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import attrs

from edgezero_spin.project.errors import AppImportError
from edgezero_spin.project.trigger_check import AppTrigger
from edgezero_spin.project.world import Need

__all__ = ["AppLook", "describe_app", "look_at_app", "own_traceback"]


@attrs.frozen
class AppLook:
    """What an app says of itself when it is imported.

    Attributes:
        has_handler: Its module has the class ``IncomingHandler`` of that app.
        needs: What it answers and uses.
        triggers: What starts its handlers, beside requests.
        modules: Which modules its import loads, by their full names.
    """

    has_handler: bool
    needs: frozenset[Need]
    triggers: tuple[AppTrigger, ...]
    modules: tuple[str, ...]


# Each runs in a process of its own, so that nothing the app does at import (or leaves
# in sys.modules) can touch this one. It speaks JSON on the descriptor it is given.
_IMPORT: Final = """\
import importlib, json, os, sys
module_name, attribute, out = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, os.getcwd())
before = set(sys.modules)
from edgezero_spin.errors import EdgeZeroError
def refuse(error):
    with os.fdopen(out, "w") as stream:
        json.dump({"refused": str(error)}, stream)
    sys.exit()
try:
    module = importlib.import_module(module_name)
except EdgeZeroError as error:
    refuse(error)
from edgezero_spin.core.app import App
answer = {"handler": hasattr(module, "IncomingHandler")}
def lack():
    answer["missing"] = sorted(n for n, v in vars(module).items() if isinstance(v, App))
    answer["file"] = getattr(module, "__file__", None)
"""
_LOOK_SCRIPT: Final = f"""\
{_IMPORT}
if attribute:
    if not hasattr(module, attribute):
        lack()
    elif not isinstance(getattr(module, attribute), App):
        answer["kind"] = type(getattr(module, attribute)).__name__
    else:
        apps = [getattr(module, attribute)]
        answer["handler"] = (
            answer["handler"] and getattr(module.IncomingHandler, "app", None) is apps[0]
        )
else:
    apps = [v for v in vars(module).values() if isinstance(v, App)]
    handler_app = getattr(getattr(module, "IncomingHandler", None), "app", None)
    if handler_app is not None:
        apps = [handler_app]
    if not answer["handler"]:
        lack()
if "missing" not in answer and "kind" not in answer:
    try:
        for app in apps:
            app.compile()
    except EdgeZeroError as error:
        refuse(error)
    # A handler that is no App's answers HTTP, too.
    answer["needs"] = sorted(set().union(*(a.needs for a in apps)) if apps else ["http"])
    answer["triggers"] = [[t.kind, t.text, t.qos] for a in apps for t in a.triggers]
answer["modules"] = sorted(
    name for name, module in sys.modules.items()
    if name not in before and getattr(module, "__spec__", None) and name == module.__spec__.name
)
with os.fdopen(out, "w") as stream:
    json.dump(answer, stream)
"""
_DESCRIBE_SCRIPT: Final = f"""\
{_IMPORT}
found = getattr(module, attribute or "app", None)
if not attribute and hasattr(module, "IncomingHandler"):
    found = getattr(module.IncomingHandler, "app", found)
if found is None:
    lack()
elif not isinstance(found, App):
    answer["kind"] = type(found).__name__
else:
    from edgezero_spin.core.openapi import openapi_document
    try:
        answer["document"] = openapi_document(found)
    except (EdgeZeroError, TypeError, ValueError) as error:
        refuse(error)
with os.fdopen(out, "w") as stream:
    json.dump(answer, stream)
"""


def look_at_app(module: str, attribute: str, root: Path) -> AppLook:
    """Import the app in a fresh interpreter; say what it declares.

    Raises:
        AppImportError: There is no such module or app, or its import fails.
    """
    answer = _ask(_LOOK_SCRIPT, module, attribute, root)
    return AppLook(
        has_handler=answer["handler"],
        needs=frozenset(answer["needs"]),
        triggers=tuple(AppTrigger(*each) for each in answer["triggers"]),
        modules=tuple(answer["modules"]),
    )


def describe_app(module: str, attribute: str, root: Path) -> dict[str, Any]:
    """Import the app in a fresh interpreter; return its OpenAPI document.

    Raises:
        AppImportError: There is no such module or app, its import fails, or it cannot be described.
    """
    try:
        document: dict[str, Any] = _ask(_DESCRIBE_SCRIPT, module, attribute, root)["document"]
    except AppImportError as error:
        raise attrs.evolve(error, action="describe") from None
    return document


def _ask(script: str, module: str, attribute: str, root: Path) -> dict[str, Any]:
    target = f"{module}:{attribute}" if attribute else module
    # Not a pipe: an answer may be larger than what one holds, and nobody reads it meanwhile.
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(
            [sys.executable, "-c", script, module, attribute, str(file.fileno())],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[file.fileno()],
            check=False,
        )
        file.seek(0)
        text = file.read()
    if done.returncode != 0 or not text:
        shown = own_traceback(done.stdout.decode(errors="replace"))
        what = shown.splitlines()[-1] if shown else ""
        if what.startswith("ModuleNotFoundError: ") and "\n  File " not in shown:
            # Nothing of the app ran: that the module is not there says it all.
            reason = f"{what.partition(': ')[2]} in {root}"
            raise AppImportError(target=target, reason=reason)
        raise AppImportError(target=target, reason="its import fails", traceback=shown)
    answer: dict[str, Any] = json.loads(text)
    if "refused" in answer:
        # Ours, and it says where: no frame of a traceback adds to that.
        raise AppImportError(target=target, reason=answer["refused"])
    if "missing" in answer:
        known = ", ".join(answer["missing"]) or "none"
        what = f"has no attribute {attribute!r}" if attribute else "has no class IncomingHandler"
        hint = "" if attribute else f"; name the app, for example {module}:app, or add run_app"
        raise AppImportError(
            target=target, reason=f"{answer['file']} {what} (apps there: {known}){hint}"
        )
    if "kind" in answer:
        raise AppImportError(
            target=target, reason=f"{attribute} is a {answer['kind']}, not an edgezero_spin.App"
        )
    return answer


def own_traceback(text: str) -> str:
    """Leave out the frames of this file's script and of importlib."""
    lines = text.rstrip().splitlines()
    kept: list[str] = []
    skipping = False
    for line in lines:
        if line.startswith("  File "):
            skipping = '"<string>"' in line or "importlib" in line
        elif not line.startswith("    "):
            skipping = False
        if not skipping:
            kept.append(line)
    return "\n".join(kept)
