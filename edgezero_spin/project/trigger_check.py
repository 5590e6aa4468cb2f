"""Agreement of the triggers in ``spin.toml`` with the handlers of an app.

In: the triggers that an app has handlers for, and the component that it becomes. Out: nothing where
``spin.toml`` agrees, else one error that says what to write.

Several ``[component.*]`` may be made from one file; the variable ``EDGEZERO__TRIGGER`` in the
environment of each says which handler it is for.

Source: our own; contract services.md, RDT-1, CRN-1, MQT-1, for the tables.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import attrs

from edgezero_spin.errors import ManifestError, ProjectError
from edgezero_spin.manifest.spin import ManifestComponent, SpinManifest, load_spin_manifest

__all__ = [
    "AppTrigger",
    "TriggerMismatchError",
    "check_triggers",
    "components_of",
    "trigger_problems",
]

TRIGGER = "EDGEZERO__TRIGGER"
MANIFEST = "spin.toml"

TriggerKind = Literal["redis", "mqtt", "cron"]

# The key of a table that says what starts the component.
_KEYS: dict[TriggerKind, str] = {"redis": "channel", "mqtt": "topic", "cron": "cron_expression"}


@attrs.frozen
class AppTrigger:
    """The trigger of a handler.

    Attributes:
        kind: ``redis``, ``mqtt`` or ``cron``.
        text: The channel, the topic filter or the expression.
        qos: The quality of service, with ``mqtt``.
    """

    kind: TriggerKind
    text: str
    qos: int = 0

    def table(self, component_id: str) -> str:
        """Return the table of ``spin.toml`` that starts it."""
        lines = [f"[[trigger.{self.kind}]]", f'{_KEYS[self.kind]} = "{self.text}"']
        if self.kind == "mqtt":
            lines.append(f'qos = "{self.qos}"')
        return "\n".join([*lines, f'component = "{component_id}"'])


@attrs.frozen
class TriggerMismatchError(ProjectError):
    """``spin.toml`` and the handlers of an app do not fit.

    Attributes:
        path: The manifest.
        problems: One for each fault, with what to write.
    """

    path: Path
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(f"{self.path}: {problem}" for problem in self.problems)


def check_triggers(triggers: Sequence[AppTrigger], output: Path, folder: Path) -> None:
    """Compare the triggers of an app with the manifest that its component is for.

    Nothing is compared where no manifest in the folder, or above it, has a component of that file.

    Args:
        triggers: Those that the app has handlers for.
        output: The component's file.
        folder: Where the app is built.

    Raises:
        TriggerMismatchError: They do not fit.
    """
    found = _manifest_of(output, folder)
    if found is None:
        return
    manifest, components = found
    problems = trigger_problems(triggers, manifest, components)
    if problems:
        raise TriggerMismatchError(manifest.path, problems)


def components_of(manifest: SpinManifest, output: Path) -> dict[str, ManifestComponent]:
    """Return the components of a manifest that are made from one file, by id."""
    return {
        id: component
        for id, component in manifest.components.items()
        if isinstance(component.source, str)
        and (manifest.base_dir / component.source).resolve() == output.resolve()
    }


def trigger_problems(
    triggers: Sequence[AppTrigger],
    manifest: SpinManifest,
    components: Mapping[str, ManifestComponent],
) -> tuple[str, ...]:
    """Say where a manifest and the handlers of an app do not fit, and what to write.

    Args:
        triggers: Those that the app has handlers for.
        manifest: The manifest.
        components: Those that the app becomes.
    """
    return tuple(dict.fromkeys(_problems(triggers, manifest, components)))


def _manifest_of(
    output: Path, folder: Path
) -> tuple[SpinManifest, dict[str, ManifestComponent]] | None:
    """Return the nearest manifest with components of a file, and those."""
    for place in (folder, *folder.parents):
        path = place / MANIFEST
        if not path.is_file():
            continue
        try:
            manifest = load_spin_manifest(path)
        except ManifestError:
            # Whoever runs it tells; the component can be built.
            return None
        made = components_of(manifest, output)
        return (manifest, made) if made else None
    return None


def _problems(
    triggers: Sequence[AppTrigger],
    manifest: SpinManifest,
    components: Mapping[str, ManifestComponent],
) -> Iterator[str]:
    started: set[AppTrigger] = set()
    for entry in manifest.triggers:
        id = entry.component if isinstance(entry.component, str) else ""
        component = components.get(id)
        if entry.type not in _KEYS or component is None:
            continue
        kind: TriggerKind = entry.type
        text = str(entry.config.get(_KEYS[kind], ""))
        chosen = component.environment.get(TRIGGER)
        fitting = [t for t in triggers if t.kind == kind and chosen in (None, t.text)]
        # What a template becomes is not known here.
        same = [t for t in fitting if t.text == text or "{{" in text]
        place = f"[[trigger.{kind}]] with {_KEYS[kind]} = {text!r}"
        meant = [t for t in triggers if (t.kind, t.text) == (kind, text)]
        if not same and meant:
            started.update(meant)
            yield (
                f"{place} starts component {id!r}, whose {TRIGGER} is {chosen!r}; write "
                f'environment = {{ {TRIGGER} = "{text}" }}'
            )
        elif not same:
            yield (
                f"{place} starts component {id!r}, and the app has no handler of it; "
                f'write @app.{kind}("{text}"), or remove the table'
            )
        elif chosen is None and _are_mixed_up(fitting):
            yield _ambiguous(kind, id, fitting)
        elif kind == "mqtt" and str(entry.config.get("qos")) != str(same[0].qos):
            yield (
                f"{place} has qos {entry.config.get('qos')!r}, and the handler of the app "
                f'{same[0].qos}; write qos = "{same[0].qos}", or qos={entry.config.get("qos")} in '
                f"the app"
            )
        started.update(same)
    missing = [trigger for trigger in triggers if trigger not in started]
    if missing:
        id = next(iter(components))
        tables = "\n\n".join(trigger.table(id) for trigger in missing)
        yield f"nothing starts {_listed(missing)} of the app; add:\n\n{tables}"


def _are_mixed_up(triggers: Sequence[AppTrigger]) -> bool:
    """Whether a component that has them all is not told which one it was started by."""
    return len(triggers) > 1 and triggers[0].kind != "mqtt"


def _ambiguous(kind: str, component_id: str, triggers: Iterable[AppTrigger]) -> str:
    texts = [trigger.text for trigger in triggers]
    return (
        f"component {component_id!r} has handlers of several {kind} triggers "
        f"({', '.join(map(repr, texts))}) and is not told which one starts it; give each a "
        f"component of its own, made from the same file, with "
        f'environment = {{ {TRIGGER} = "{texts[0]}" }}'
    )


def _listed(triggers: Iterable[AppTrigger]) -> str:
    return ", ".join(f"the {trigger.kind} handler {trigger.text!r}" for trigger in triggers)
