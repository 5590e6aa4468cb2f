"""``edgezero.toml``: what is accepted, what it means, and what each mistake says."""

from pathlib import Path

import pytest

from edgezero_spin.errors import ManifestError
from edgezero_spin.manifest.app_manifest import AppManifest, load_app_manifest
from edgezero_spin.manifest.errors import InvalidManifestError, ManifestUnreadableError
from edgezero_spin.manifest.http_triggers import parse_handler
from edgezero_spin.stores import StoreIds

GUIDE = "docs/guide/manifest-store-migration.md"

MAXIMAL = """
surplus = true # MAN-17

[app]
name = "shop"
entry = "shop.main"
version = "1.2.0"
kind = "http"
middleware = ["shop.mw:log", "shop.mw:auth"]
other = 1

[[triggers.http]]
path = "/"
handler = "shop.app:root"

[[triggers.http]]
path = "/items/{id}"
methods = ["get", " Put "]
handler = "shop.app:item"
id = "item"
description = "one item"
adapters = ["spin"]
body-mode = "stream"

[[environment.variables]]
name = "REGION"
value = "eu"
adapters = ["fastly"]

[[environment.secrets]]
name = "API_TOKEN"
env = "APP_TOKEN"
adapters = ["Spin"]

[stores.kv]
ids = ["sessions", "cache"]
default = "sessions"
[stores.config]
ids = ["app_config"]

[adapters.Spin.adapter]
crate = "app"
manifest = "app/spin.toml"
component = "shop"
host = "0.0.0.0"
port = 3000
[adapters.Spin.build]
target = "wasm32-wasip2"
features = ["a"]
include = ["plugins", "late.module"]
exclude = ["babel"]
[adapters.Spin.commands]
build = "make wasm"
auth-login = "spin login"
[adapters.Spin.logging]
level = " WARN "

[logging.spin]
level = "debug"
[logging.axum]
endpoint = "stderr"
echo_stdout = true
"""


def load(tmp_path: Path, text: str) -> AppManifest:
    """Load a text as ``edgezero.toml``."""
    path = tmp_path / "edgezero.toml"
    path.write_text(text, encoding="utf-8")
    return load_app_manifest(path)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """The problems of a text, one line each."""
    with pytest.raises(InvalidManifestError) as caught:
        load(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_every_key_is_read(tmp_path: Path) -> None:
    """What the file says is what the manifest holds."""
    manifest = load(tmp_path, MAXIMAL)
    assert (manifest.name, manifest.entry) == ("shop", "shop.main")
    assert (manifest.version, manifest.kind) == ("1.2.0", "http")
    assert manifest.middleware == ("shop.mw:log", "shop.mw:auth")  # MAN-2
    root, item = manifest.triggers
    assert (root.methods, root.id, root.body_mode) == (("GET",), None, None)  # MAN-4
    assert (item.path, item.methods, item.handler) == (
        "/items/{id}",
        ("GET", "PUT"),
        "shop.app:item",
    )
    assert (item.id, item.description, item.adapters, item.body_mode) == (
        "item",
        "one item",
        ("spin",),  # MAN-6
        "stream",
    )
    assert manifest.stores.kv == StoreIds(("sessions", "cache"), "sessions")  # TV-96
    assert manifest.stores.config == StoreIds(("app_config",), "app_config")  # MAN-19
    assert manifest.stores.secrets is None
    spin = manifest.adapters["Spin"]
    assert (spin.crate, spin.manifest, spin.component) == ("app", "app/spin.toml", "shop")
    assert (spin.host, spin.port) == ("0.0.0.0", 3000)
    assert (spin.build.target, spin.build.features) == ("wasm32-wasip2", ("a",))  # MAN-12
    assert (spin.build.include, spin.build.exclude) == (("plugins", "late.module"), ("babel",))
    assert (spin.commands.build, spin.commands.auth_login) == ("make wasm", "spin login")
    assert spin.commands.serve is None


def test_an_empty_file_is_valid(tmp_path: Path) -> None:
    """Every key is optional."""
    manifest = load(tmp_path, "")  # MAN-22, TV-91
    assert manifest.name is None
    assert manifest.triggers == ()
    assert manifest.stores.kv is None
    assert manifest.root == tmp_path


def test_a_bare_file_name_starts_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root is an absolute folder even when the path was not."""
    (tmp_path / "edgezero.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert load_app_manifest("edgezero.toml").root == tmp_path  # MAN-21


def test_environment_follows_the_adapter(tmp_path: Path) -> None:
    """Filters of bindings ignore case, and a binding's variable is its name by default."""
    manifest = load(tmp_path, MAXIMAL)  # MAN-8, TV-95
    assert manifest.variables_for("spin") == ()
    assert [item.env for item in manifest.variables_for("FASTLY")] == ["REGION"]
    assert [item.env for item in manifest.secrets_for("spin")] == ["APP_TOKEN"]


def test_logging_of_the_adapter_beats_the_general_table(tmp_path: Path) -> None:
    """The adapter's own table wins as a whole; without any the level is info."""
    manifest = load(tmp_path, MAXIMAL)  # MAN-14, TV-94
    assert manifest.logging_for("spin").level == "warn"
    assert manifest.logging_for("axum").level == "info"
    assert manifest.logging_for("axum").endpoint == "stderr"
    assert manifest.logging_for("axum").echo_stdout is True
    assert manifest.logging_for("fastly").level == "info"


def test_an_adapter_is_found_in_any_case(tmp_path: Path) -> None:
    """A look-up returns the adapter with the spelling of the file."""
    manifest = load(tmp_path, "[adapters.xenon]\n")  # MAN-20, TV-107
    found = manifest.adapter("XENON")
    assert found is not None and found.name == "xenon"
    assert manifest.adapter("argon") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # MAN-1, MAN-13
        pytest.param('[app]\nname = ""', ["app.name: must not be empty"], id="empty name"),
        pytest.param(
            '[adapters.spin.commands]\nserve = ""',
            ["adapters.spin.commands.serve: must not be empty"],
            id="empty command",
        ),
        # MAN-3, TV-91
        pytest.param(
            '[[triggers.http]]\npath = ""',
            ["triggers.http[0].path: must not be empty"],
            id="empty path",
        ),
        pytest.param(
            "[[triggers.http]]",
            ["triggers.http[0].path: missing field `path`"],
            id="no path",
        ),
        # MAN-4, TV-92
        pytest.param(
            '[[triggers.http]]\npath = "/"\nmethods = ["FETCH"]',
            ["triggers.http[0].methods[0]: unsupported HTTP method `FETCH`"],
            id="method",
        ),
        pytest.param(
            '[[triggers.http]]\npath = "/"\nmethods = [1]',
            ["triggers.http[0].methods[0]: invalid type: expected a string, got an integer"],
            id="method type",
        ),
        # MAN-7, TV-93
        pytest.param(
            '[[triggers.http]]\npath = "/"\nbody-mode = "chunked"',
            ["triggers.http[0].body-mode: unsupported body mode `chunked`"],
            id="body mode",
        ),
        pytest.param(
            '[[triggers.http]]\npath = "/"\nbody-mode = 1',
            ["triggers.http[0].body-mode: invalid type: expected a string"],
            id="body mode type",
        ),
        # MAN-8
        pytest.param(
            '[[environment.variables]]\nvalue = "x"',
            ["environment.variables[0].name: missing field `name`"],
            id="variable name",
        ),
        # MAN-10, TV-106
        pytest.param(
            '[stores.secret]\nids = ["a"]',
            ["stores.secret: unknown field `secret`. Known here: config, kv, secrets."],
            id="kind of store",
        ),
        # A table of ours
        pytest.param(
            '[databases.sqlite3]\nids = ["a"]',
            ["databases.sqlite3: unknown field `sqlite3`.", "mysql, postgres, redis, sqlite."],
            id="kind of database",
        ),
        pytest.param(
            '[databases.sqlite]\nids = ["a", "b"]',
            ["databases.sqlite: `default` is required when more than one id is declared (a, b)"],
            id="default database",
        ),
        # MAN-11, TV-105
        pytest.param(
            "[adapters.spin.adapter]\nzone = 1\nruntime_threads = 4",
            ["adapters.spin.adapter: unknown field(s): runtime_threads, zone. ", GUIDE],
            id="old adapter setting",
        ),
        pytest.param(
            "[adapters.spin.adapter]\nport = 65536",
            ["adapters.spin.adapter.port: must be from 0 to 65535, got 65536"],
            id="port",
        ),
        # MAN-14, TV-94
        pytest.param(
            '[logging.spin]\nlevel = "loud"',
            [
                "logging.spin.level: logging level must be trace, debug, info, warn, error, "
                "or off (got `loud`)"
            ],
            id="level",
        ),
        # MAN-15, TV-104
        pytest.param(
            '[adapters.spin.stores.kv.default]\nname = "x"\n[adapters.spin.runtime]',
            ["adapters.spin: unknown field(s): runtime, stores. ", GUIDE],
            id="old adapter table",
        ),
        # MAN-18, TV-97 to TV-103
        pytest.param("[stores.kv]\nids = []", ["stores.kv: `ids`"], id="no ids"),
        pytest.param(
            '[stores.kv]\nids = ["   "]', ["stores.kv: ", "non-empty and printable"], id="blank id"
        ),
        pytest.param(
            '[stores.kv]\nids = ["a/b"]', ["stores.kv: ", "portable segment"], id="charset of id"
        ),
        pytest.param('[stores.kv]\nids = ["a", "a"]', ["duplicate id"], id="repeated id"),
        pytest.param('[stores.kv]\nids = ["a", "b"]', ["`default`"], id="no default"),
        pytest.param(
            '[stores.kv]\nids = ["a", "b"]\ndefault = "c"',
            ["`default`", "declared `ids`"],
            id="unknown default",
        ),
        pytest.param(
            '[stores.kv]\nname = "KV"\nenabled = false\nids = []',
            ["stores.kv: unknown field(s): enabled, name. ", GUIDE],
            id="old store keys come first",
        ),
        pytest.param(
            '[stores.config.defaults]\nx = "1"',
            ["stores.config: unknown field(s): defaults. ", GUIDE],
            id="old store defaults",
        ),
        # MAN-20, TV-107
        pytest.param(
            "[adapters.xenon]\n[adapters.Xenon]",
            ["adapters.Xenon: differs from `adapters.xenon` only in case"],
            id="case of adapters",
        ),
        # GEN-9
        pytest.param(
            "[[surplus]]\nx = 9223372036854775808",
            ["surplus[0].x: this number does not fit in 64 bits"],
            id="wide integer",
        ),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Each broken rule gives one problem, with the place and the contract's words."""
    [problem] = problems_of(tmp_path, text)
    assert [part for part in expected if part not in problem] == []


@pytest.mark.parametrize(
    ("table", "default"),
    [
        # TV-96, MAN-19
        ('ids = ["sessions", "cache"]\ndefault = "sessions"', "sessions"),
        ('ids = ["only"]', "only"),
        # TV-101; the hyphen stays, though a later EdgeZero drops it: MAN-23, OPQ-9
        *((f'ids = ["{id}"]', id) for id in ("app_config", "feature-flags", "appConfig")),
        ('ids = ["v1", "v2"]\ndefault = "v1"', "v1"),
    ],
)
@pytest.mark.parametrize("kind", ["kv", "config", "secrets"])
def test_store_ids_that_are_accepted(kind: str, table: str, default: str, tmp_path: Path) -> None:
    """For every kind alike."""  # MAN-10
    stores = getattr(load(tmp_path, f"[stores.{kind}]\n{table}\n").stores, kind)
    assert stores.default == default


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[stores.kv]\nids = []", "`ids`"),  # TV-97
        # TV-98
        *((f"[stores.kv]\nids = [{id}]", "non-empty and printable")
          for id in ('""', '"   "', '"\\n"')),
        # TV-99
        ('[stores.kv]\nids = ["foo/bar"]', "portable segment"),
        ('[stores.kv]\nids = ["foo__bar"]', "double underscore"),
        # TV-100
        ('[stores.kv]\nids = ["app_config", "app_config"]', "duplicate id"),
        ('[stores.kv]\nids = ["foo", "FOO"]', "case-insensitive duplicate"),
        # TV-102
        ('[stores.kv]\nids = ["a", "b"]', "default"),
        ('[stores.kv]\nids = ["a", "b"]\ndefault = "c"', "declared `ids`"),
        # TV-103
        ('[stores.kv]\nids = ["a"]\nname = "MY_KV"', GUIDE),
        ('[stores.config]\nids = ["a"]\n[stores.config.defaults]\nx = "1"', GUIDE),
        ('[stores.kv]\nids = ["a"]\n[stores.kv.adapters.spin]\nname = "x"', GUIDE),
        ('[stores.kv]\nids = ["a"]\nenabled = false', GUIDE),
    ],
)  # fmt: skip
def test_store_ids_that_are_refused(table: str, said: str, tmp_path: Path) -> None:
    """Each breaks one rule, and the message is about that one."""  # MAN-18
    [problem] = problems_of(tmp_path, table)
    assert said in problem


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    """One run names everything that is wrong, each with its place, after the file."""
    text = '[app]\nname = 1\n[stores.kv]\nids = []\n[[triggers.http]]\npath = ""\n'
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, text)
    first, *rest = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'edgezero.toml'}: 3 problems"
    assert [line.split(":")[0] for line in rest] == [
        "  - app.name",
        "  - triggers.http[0].path",
        "  - stores.kv",
    ]


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    """What is not TOML says in which line, at the end of the file too."""
    assert problems_of(tmp_path, "[app]\nnot = [")[0].startswith("line 2: this is not TOML: ")
    assert problems_of(tmp_path, "[app]\nx = = 1\n")[0].startswith("line 2: this is not TOML: ")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda path: None, "there is no such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "this is a folder", id="folder"),
        pytest.param(lambda path: path.write_bytes(b"a = '\xff'"), "not UTF-8", id="bytes"),
    ],
)
def test_an_unreadable_file_is_no_invalid_one(tmp_path: Path, make: object, reason: str) -> None:
    """A file that cannot be read says why, and whether it is there at all."""
    path = tmp_path / "edgezero.toml"
    assert callable(make)
    make(path)
    with pytest.raises(ManifestUnreadableError, match=reason) as caught:
        load_app_manifest(path)  # MAN-22
    assert caught.value.missing is (reason == "there is no such file")


@pytest.mark.parametrize("text", ["app:root", "shop.app:root", "app:Api.root"])
def test_handlers_name_module_and_function(text: str) -> None:
    """The part before the colon is the module, the part after it the function."""
    assert parse_handler(text) == tuple(text.split(":"))  # OPQ-11


@pytest.mark.parametrize(
    "text", ["", "app", "app:", ":root", "a::b", "app:1bar", "a..b:c", "a:b:c"]
)
def test_other_handler_texts_are_refused(text: str) -> None:
    """What is not a path to a function is quoted back with an example."""
    with pytest.raises(ValueError, match=r"invalid handler path .*`app\.handlers:root`"):
        parse_handler(text)  # OPQ-11, TV-148
