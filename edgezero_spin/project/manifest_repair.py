"""Repairs of ``spin.toml``: its version, what version 1 needs, and the upgrade to version 2.

In: a manifest. Out: what is wrong with it, or old, each with the ``DoctorFix`` that mends it. A
repair changes the lines that it is about; the upgrade writes the file anew, without comments, and
keeps the old one beside it as ``spin.toml.v1_backup``.

Source: contract spin-host.md, CLI-40 and MAN-76 to MAN-87; Spin's ``crates/doctor/src/manifest``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from edgezero_spin.errors import EdgeZeroError, ProjectError
from edgezero_spin.manifest.keys import join_key
from edgezero_spin.manifest.spin import SpinManifest, parse_spin_manifest
from edgezero_spin.manifest.toml_file import parse_toml, read_text
from edgezero_spin.project.doctor_report import DoctorFinding, DoctorFix, problem, remark
from edgezero_spin.project.files import replace_file
from edgezero_spin.project.toml_positions import scan_toml
from edgezero_spin.project.toml_writing import inline_toml

__all__ = ["examine_version", "upgraded_manifest"]

KEY, OLD_KEY = "spin_manifest_version", "spin_version"
_HOSTS = ("allowed_outbound_hosts", "allowed_http_hosts")
_DETAILS = ("name", "version", "description", "authors")


def examine_version(path: Path) -> Iterator[DoctorFinding]:
    """Yield what is wrong with the version of a manifest, or what its version lacks.

    A file that cannot be read, or is not TOML, is not looked at.
    """
    try:
        text = read_text(path)
        root = parse_toml(text, path)
    except EdgeZeroError:
        return
    version = root.get(KEY)
    if KEY not in root and OLD_KEY in root:
        yield remark(
            f"{path} has the old key `{OLD_KEY}`",
            f"Write `{KEY}`.",
            _fix(path, f"replace `{OLD_KEY}` by `{KEY}` in {path}", _with_version(text, "1")),
        )
    elif KEY not in root:
        yield problem(
            f"{path} lacks `{KEY}`",
            f"Write `{KEY} = 2` at the top of the file.",
            _fix(path, f"add `{KEY} = 2` to {path}", _with_version(text, 2)),
        )
    elif version != "1" and (type(version) is not int or version != 2):
        right = "1" if version == 1 and type(version) is int else 2
        mended = _with_version(text, right)
        yield problem(
            f'{path}: `{KEY}` must be "1" or 2, not {inline_toml(version)}',
            f"Write `{KEY} = {inline_toml(right)}`.",
            _fix(path, f"set `{KEY}` in {path} to {inline_toml(right)}", mended),
        )
    elif version == "1":
        yield from _examine_version_1(path, text, root)


def _examine_version_1(path: Path, text: str, root: Mapping[str, Any]) -> Iterator[DoctorFinding]:
    if "trigger" not in root:
        # A table of its own would take the keys that follow it.
        line = _on_top(text, 'trigger = { type = "http" }')
        yield problem(
            f"{path} lacks the trigger of the application",
            'Write `trigger = { type = "http" }`.',
            _fix(path, f"add the HTTP trigger to {path}", line),
        )
        return
    trigger, components = root["trigger"], root.get("component")
    http = isinstance(trigger, dict) and trigger.get("type") == "http"
    if http and isinstance(components, list) and len(components) == 1:
        [component] = components
        own = component.get("trigger", {}) if isinstance(component, dict) else None
        if isinstance(own, dict) and "route" not in own:
            id = component.get("id", "")
            yield problem(
                f"{path}: the HTTP component {id!r} lacks trigger.route",
                'Write `trigger.route = "/..."` in its table.',
                DoctorFix(f"set the route of {id!r} to /...", lambda: _add_route(path, text)),
            )
            return
    try:
        upgraded = upgraded_manifest(text, path)
    except EdgeZeroError:
        # What keeps it from being loaded is found elsewhere.
        return
    yield remark(
        f"{path} is of version 1 and can be upgraded to version 2",
        "`edgezero doctor --fix` does it.",
        DoctorFix(
            f"upgrade {path} to version 2; the old one is kept as {_backup(path).name}",
            lambda: _upgrade(path, text, upgraded),
        ),
    )


def _fix(path: Path, action: str, text: str) -> DoctorFix:
    return DoctorFix(action, lambda: replace_file(path, text.encode()))


# Version and trigger


def _with_version(text: str, version: str | int) -> str:
    """Return the text with another version; the key is put on top where there is none."""
    line = f"{KEY} = {inline_toml(version)}"
    [first, *_] = scan_toml(text)
    found = {each.path: each for each in first.pairs}
    entry = found.get((KEY,)) or found.get((OLD_KEY,))
    if entry is None:
        return _on_top(text, line)
    return text[: entry.start] + line + text[entry.value.end :]


def _on_top(text: str, line: str) -> str:
    """Return the text with one more line before the first table, after its version."""
    newline = "\r\n" if "\r\n" in text else "\n"
    [first, *_] = scan_toml(text)
    version = [each for each in first.pairs if each.path in ((KEY,), (OLD_KEY,))]
    if not version:
        return line + newline + text
    end = text.find("\n", version[0].value.end) + 1
    if end == 0:
        return text + newline + line + newline
    return text[:end] + line + newline + text[end:]


def _add_route(path: Path, text: str) -> None:
    """Give the only component the route that takes every request."""
    sections = scan_toml(text)
    component = [each for each in sections if each.path == ("component",)]
    table = [each for each in sections if each.path == ("component", "trigger")]
    own = [pair for each in component for pair in each.pairs if pair.path[-1] == "trigger"]
    newline = "\r\n" if "\r\n" in text else "\n"
    if own:
        at = own[0].value.start + 1
        written = ' route = "/...",' if own[0].value.pairs else ' route = "/..." '
    elif table or component:
        at = (table or component)[0].end
        written = newline + ('route = "/..."' if table else 'trigger.route = "/..."')
    else:
        raise ProjectError(f'{path}: write `trigger.route = "/..."` by hand')
    replace_file(path, (text[:at] + written + text[at:]).encode())


# Upgrade


def upgraded_manifest(text: str, path: Path) -> str:
    """Return the manifest of version 2 that means the same as one of version 1.

    Raises:
        ManifestError: It breaks rules.
        ProjectError: There is none.
    """
    manifest = parse_spin_manifest(text, path)
    upgraded = "\n\n".join(_sections(parse_toml(text, path), manifest)) + "\n"
    if not _is_same(parse_spin_manifest(upgraded, path), manifest):
        raise ProjectError(f"{path} means something that version 2 has no words for")
    return upgraded


def _is_same(upgraded: SpinManifest, manifest: SpinManifest) -> bool:
    def bare(given: SpinManifest) -> SpinManifest:
        filled = {type: config for type, config in given.trigger_configs.items() if config}
        return attrs.evolve(given, trigger_configs=filled, warnings=())

    return bare(upgraded) == bare(manifest)


def _sections(root: Mapping[str, Any], manifest: SpinManifest) -> Iterator[str]:
    yield f"{KEY} = 2"
    yield _table("application", {key: root[key] for key in _DETAILS if key in root})
    for type, settings in manifest.trigger_configs.items():
        if settings:
            yield _table(join_key("application.trigger", type), settings)
    if root.get("variables"):
        yield _table("variables", root["variables"])
    for trigger in manifest.triggers:
        named = {"id": trigger.id, "component": trigger.component, **trigger.config}
        yield _table(join_key("trigger", trigger.type), named, is_array=True)
    # A later component takes the place of an earlier one, and the triggers of both stay.
    written = {
        trigger.component: _component(values)
        for trigger, values in zip(manifest.triggers, root.get("component", []), strict=True)
    }
    for id, component in manifest.components.items():
        values = written[id]
        build = values.pop("build", None)
        if component.allowed_outbound_hosts:
            values[_HOSTS[0]] = list(component.allowed_outbound_hosts)
        yield _table(join_key("component", id), values)
        if build:
            yield _table(join_key(join_key("component", id), "build"), build)


def _component(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {"config": "variables"}
    left_out = ("id", "trigger", *_HOSTS)
    return {names.get(key, key): value for key, value in values.items() if key not in left_out}


def _table(name: str, values: Mapping[str, Any], *, is_array: bool = False) -> str:
    head = f"[[{name}]]" if is_array else f"[{name}]"
    return "\n".join(
        [head, *(f"{join_key('', key)} = {inline_toml(value)}" for key, value in values.items())]
    )


def _upgrade(path: Path, text: str, upgraded: str) -> None:
    backup = _backup(path)
    try:
        kept = backup.read_bytes() if backup.exists() else None
    except OSError as error:
        raise ProjectError(f"cannot read {backup}: {error.strerror}") from error
    if kept not in (None, text.encode()):
        raise ProjectError(f"{backup} is there already; move it away first")
    replace_file(backup, text.encode())
    replace_file(path, upgraded.encode())


def _backup(path: Path) -> Path:
    return path.with_suffix(".toml.v1_backup")
