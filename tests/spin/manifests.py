# A line of a manifest is a line.
# ruff: noqa: E501
"""Small manifests, each with one thing to look at, sorted by what becomes of them."""

import json
from collections.abc import Callable

__all__ = ["GOOD", "HOSTS", "REFUSED", "SPARED", "VERSION_1", "manifest"]


def manifest(
    *,
    application: str = "",
    variables: str = "",
    trigger: str = 'route = "/..."\ncomponent = "c"',
    source: str = 'source = "c.wasm"',
    component: str = "",
    more: str = "",
    id: str = "c",
) -> str:
    """A manifest of version 2 with one component, and these lines where they belong."""
    text = 'spin_manifest_version = 2\n[application]\nname = "a"\n' + application
    if variables:
        text += f"\n[variables]\n{variables}"
    trigger = trigger.replace('"c"', json.dumps(id))
    text += f"\n{more}\n[[trigger.http]]\n{trigger}\n[component.{json.dumps(id)}]\n"
    return f"{text}{source}\n{component}\n"


def version_1(*, root: str = "", id: str = "c", component: str = "") -> str:
    """A manifest of version 1 with one component."""
    text = 'spin_manifest_version = "1"\nname = "a"\nversion = "1.0"\ntrigger = { type = "http" }\n'
    text += f'{root}\n[[component]]\nid = {json.dumps(id)}\nsource = "c.wasm"\n{component}\n'
    return f"{text}[component.trigger]\nroute = '/'\n"


_GOOD: dict[str, list[str]] = {
    "application": [
        'version = "1.0"',
        'version = ""',
        'version = "not semver"',
        'description = "d"',
        'authors = ["a","b"]',
        "authors = []",
        'targets = ["spin-up:3.2"]',
        'targets = [{ url = "https://x/y.toml" }, { path = "x.toml" }]',
        '[application.trigger.http]\nbase = "/"',
        '[application.trigger.http]\nbase = "/x"',
        "[application.trigger.http]\nfoo = 1",
        '[application.trigger.redis]\naddress = "redis://x"',
        "[application.trigger]",
        "[application.tool.x]\ny = 1",
        'description = ""',
    ],
    "variables": [
        'x = { default = "d" }',
        "x = { required = true }",
        'x = { required = false, default = "" }',
        'x = { default = "d", secret = true }',
        'x = { default = "d", secret = false }',
        'x = { default = "d", description = "t" }',
        'a_b = { default = "" }',
        'a1 = { default = "" }',
        'b = { default = "2" }\na = { default = "1" }\nc = { required = true, secret = true, description = "D" }',
    ],
    "trigger": [
        'component = "c"\nroute = "/"',
        'component = "c"\nroute = "x"',
        'component = "c"\nroute = ""',
        'component = "c"\nroute = { private = true }',
        'component = "c"\nroute = { private = false }',
        'component = "c"\nroute = { }',
        'component = "c"\nroute = { private = true, x = 1 }',
        'component = "c"\nroute = 1',
        'component = "c"\nroute = "/..."\nid = "t"',
        'component = "c"\nroute = "/..."\nid = ""',
        'component = "c"\nroute = "/..."\nid = "T t"',
        'component = "c"\nroute = "/..."\nfoo = "bar"',
        'component = "c"\nroute = "/..."\nexecutor = { type = "http" }',
        'component = "c"\nroute = "/..."\nexecutor = { type = "spin" }',
        'component = "c"\nroute = "/..."\nexecutor = { type = "wagi" }',
        'component = "c"\nroute = "/..."\nexecutor = { type = "wagi", argv = "a ${ARGS}", entrypoint = "_start" }',
        'component = "c"\nroute = "/..."\nexecutor = { type = "nope" }',
        'component = "c"\nroute = "/..."\nexecutor = { }',
        'component = "c"\nroute = "/..."\nexecutor = "http"',
        'component = "c"\nroute = "/..."\nstatic_response = { body = "x" }',
        'component = "c"\n',
        'component = "c"\nroute = "/..."\ndependencies = {}',
        'component = "c"\nroute = "/..."\ncomponents = { x = "c" }',
        'component = "c"\nroute = "/..."\nnested = { a = [1, 2.5, true, "s", { b = 1 }] }',
        'component = "c"\nroute = "/..."\nwhen = 2020-01-01',
        'route = "/..."\nstatic_response = { body = "x" }',
        'route = "/..."\nstatic_response = { }',
        'route = "/..."\nstatic_response = { status_code = 999 }',
        'route = "/..."\nstatic_response = { status_code = 302, headers = { location = "/" } }',
        'route = "/..."',
        'route = "/..."\ncomponent = { source = "c.wasm" }',
        'route = "/..."\nid = "my-id"\ncomponent = { source = "c.wasm" }',
        'route = "/..."\nid = "My id"\ncomponent = { source = "c.wasm" }',
        'route = "/..."\ncomponents.x = ["c", { source = "c.wasm" }]',
        'route = "/..."\ncomponents.x = "c"\ncomponents.y = { source = "d.wasm" }',
    ],
    "source": [
        'source = "missing.wasm"',
        'source = "/abs/missing.wasm"',
        'source = "../up.wasm"',
        'source = "dir/../c.wasm"',
        'source = "./c.wasm"',
        'source = "."',
        'source = "é.wasm"',
        'source = "with space.wasm"',
        'source = "c%20.wasm"',
    ],
    "component": [
        'description = "D"',
        'description = ""',
        'variables = { a = "b" }',
        'variables = { "a_b" = "}}" }',
        "variables = {}",
        'environment = { A = "b", a-b = "c", "x y" = "" }',
        "environment = {}",
        "files = []",
        'files = ["static/*"]',
        'files = ["static"]',
        'files = ["static/a.txt"]',
        'files = ["missing/*"]',
        'files = ["*"]',
        'files = ["**/*"]',
        'files = ["**/*.txt"]',
        'files = ["../up/*"]',
        'files = ["static/"]',
        'files = [""]',
        'files = [{ source = "static", destination = "/" }]',
        'files = [{ source = "static", destination = "x" }]',
        'files = [{ source = "static", destination = "" }]',
        'files = [{ source = "static/", destination = "/x/" }]',
        'files = [{ source = "static", destination = "/x/.." }]',
        'files = [{ source = "static", destination = "/x/../y" }]',
        'files = [{ source = "static/a.txt", destination = "/x" }]',
        'files = ["static/[a].txt"]',
        'files = ["static/?.txt"]',
        'files = ["static/**"]',
        'files = ["static/**/c.txt"]',
        'files = ["static/a.txt", "static/a.txt"]',
        'files = ["static/.hidden"]',
        'files = ["static/.*"]',
        'files = ["link/*"]',
        'files = ["link"]',
        'files = [{ source = "link", destination = "/" }]',
        'files = ["static/*"]\nexclude_files = ["static/a.txt"]',
        'files = ["static/**/*"]\nexclude_files = ["**/*.txt"]',
        'files = ["static/**/*"]\nexclude_files = ["a.txt"]',
        'files = [{ source = "static", destination = "/x" }]\nexclude_files = ["static/deep/*"]',
        'files = [{ source = "static", destination = "/x" }]\nexclude_files = ["deep/*"]',
        'files = [{ source = "static/a.txt", destination = "/x" }]\nexclude_files = ["static/a.txt"]',
        'files = ["static/*"]\nexclude_files = []',
        'exclude_files = ["x"]',
        "allowed_outbound_hosts = []",
        'allowed_outbound_hosts = ["http://x"]',
        'allowed_outbound_hosts = ["http://x.spin.internal"]',
        'allowed_outbound_hosts = ["http://c.spin.internal"]',
        'allowed_outbound_hosts = ["http://*.spin.internal"]',
        'allowed_outbound_hosts = ["https://c.spin.internal:8080"]',
        'allowed_outbound_hosts = ["*://c.spin.internal:*"]',
        'allowed_outbound_hosts = ["http://spin.internal"]',
        'allowed_outbound_hosts = ["redis://c.spin.internal"]',
        'allowed_outbound_hosts = ["http://{{ x }}"]',
        'allowed_outbound_hosts = ["{{ x }}"]',
        'allowed_outbound_hosts = ["http://x:{{ missing }}"]',
        'allowed_outbound_hosts = ["http://C.SPIN.internal"]',
        'allowed_outbound_hosts = ["http://a.c.spin.internal"]',
        "allowed_http_hosts = []",
        'allowed_http_hosts = ["x"]',
        'allowed_http_hosts = ["x:80"]',
        'allowed_http_hosts = ["http://x"]',
        'allowed_http_hosts = ["https://x:443"]',
        'allowed_http_hosts = ["insecure:allow-all"]',
        'allowed_http_hosts = ["self"]',
        'allowed_http_hosts = ["*.x"]',
        'allowed_http_hosts = ["insecure:allow-all", "a/b"]',
        'allowed_http_hosts = ["x"]\nallowed_outbound_hosts = ["http://y"]',
        'allowed_http_hosts = ["[::1]"]',
        'allowed_http_hosts = ["http://self"]',
        'key_value_stores = ["a","b"]',
        'key_value_stores = ["a_b","a-b"]',
        'key_value_stores = ["a","a"]',
        'sqlite_databases = ["default"]',
        'sqlite_databases = ["A"]',
        'sqlite_databases = ["AB-cd"]',
        "sqlite_databases = []",
        'ai_models = ["llama2-chat"]',
        'ai_models = ["Any Thing"]',
        'build = { command = "x" }',
        'build = { command = ["x","y"] }',
        "build = { command = [] }",
        'build = { command = "x", workdir = "y", watch = ["z"] }',
        'build = { command = "x", workdir = "/y" }',
        'build = { command = "x", watch = [] }',
        "[component.c.tool.x]\ny=1",
        "tool = { x = { y = 1 } }",
        'targets = ["a:1"]',
        "targets = []",
        'dependencies = { "a:b/c" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c@1.0.0" = { path = "d.wasm", export = "x:y/z" } }',
        'dependencies = { "plain" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c" = { path = "missing.wasm" } }',
        'dependencies = { "a:b/c" = { path = "d.wasm" }, "a:b/d" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c@1.0.0" = { path = "d.wasm" }, "a:b/c@2.0.0" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c@0.1.0" = { path = "d.wasm" }, "a:b/c@0.2.0" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c" = { path = "d.wasm", inherit_configuration = true } }',
        'dependencies = { "a:b/c" = { path = "d.wasm", inherit_configuration = ["files","nope"] } }',
        'dependencies = { "a:b/c" = { path = "d.wasm", inherit_configuration = false } }',
        'dependencies = { "a:b/c" = { path = "d.wasm", inherit_configuration = [] } }',
        "dependencies_inherit_configuration = true",
        'dependencies_inherit_configuration = true\ndependencies = { "a:b/c" = { path = "d.wasm" } }',
        'dependencies = { "A" = { path = "d.wasm" } }',
    ],
    "id": [
        "C",
        "a-b",
        "a1",
        "AB",
        "a-B",
        "a-BC",
    ],
}

_REFUSED: dict[str, list[str]] = {
    "application": [
        "version = 1",
        'authors = "x"',
        "nonsense = 1",
        "targets = [{ nope = 1 }]",
        "targets = [{ path = 1 }]",
        'targets = [{ url = "https://x/y.toml", path = "x.toml" }]',
        'targets = [["x.toml"]]',
        'name = "b"',
        "[application.tool]\nx = 1",
        "trigger = 1",
    ],
    "variables": [
        "x = {}",
        'x = { required = true, default = "d" }',
        "x = { required = false }",
        "x = { default = 1 }",
        'x = { default = "d", nope = 1 }',
        'X = { default = "d" }',
        'a-b = { default = "" }',
        'a__b = { default = "" }',
        '_a = { default = "" }',
        'a_ = { default = "" }',
        '"1a" = { default = "" }',
        'a_1 = { default = "" }',
        '"é" = { default = "" }',
        '"" = { default = "" }',
        'x = "d"',
    ],
    "trigger": [
        'component = "c"\nroute = "/..."\ndependencies.middleware = [["x.wasm", true]]',
        'component = "c"\nroute = "/..."\ndependencies.middleware = ["x.wasm"]',
        'component = "c"\nroute = "/..."\ndependencies = []',
        'route = "/..."\ncomponent = ""',
        'route = "/..."\ncomponent = "a_b"',
        'route = "/..."\ncomponent = { }',
        'route = "/..."\ncomponent = { source = "c.wasm", nope = 1 }',
        'route = "/..."\ncomponent = 3',
    ],
    "source": [
        "source = 3",
        'source = { url = "http://x/y", digest = "md5:1" }',
        'source = { url = "http://x/y" }',
        'source = { url = "http://x/y", digest = "sha256:00", nope = 1 }',
        'source = { package = "a:b" }',
        'source = { package = "a:b", version = "1" }',
        'source = { package = "a", version = "1.0.0" }',
        'source = { package = "a:b", version = "1.0.0", registry = "r.example" }',
        'source = { registry = "x" }',
        'source = { path = "c.wasm" }',
        "",
    ],
    "component": [
        "description = 1",
        'variables = { a-b = "b" }',
        'files = ["missing"]',
        'files = ["."]',
        'files = ["static/."]',
        'files = ["/etc/passwd"]',
        'files = [{ source = "static/a.txt", destination = "/x/" }]',
        'files = [{ source = "static/a.txt", destination = ".." }]',
        'files = [{ source = "missing", destination = "/" }]',
        'files = [{ source = "static" }]',
        'files = ["static/[.txt"]',
        'files = ["static/a***"]',
        'files = "static"',
        'allowed_outbound_hosts = ["x"]',
        'allowed_outbound_hosts = ["insecure:allow-all"]',
        'allowed_http_hosts = ["http://x/y"]',
        'allowed_http_hosts = ["x/y"]',
        'allowed_http_hosts = ["http://x:bad"]',
        'allowed_http_hosts = ["http://{{ x }}"]',
        'key_value_stores = ["A b"]',
        'key_value_stores = "a"',
        'sqlite_databases = ["aB"]',
        "ai_models = [1]",
        'build = { command = "x", nope = 1 }',
        "nonsense = 1",
        'dependencies = { "a:b" = { path = "d.wasm", export = "x" } }',
        'dependencies = { "plain" = { version = "1.0", package = "a:b" } }',
        'dependencies = { "a:b/c" = { path = "d.wasm" }, "a:b" = { path = "d.wasm" } }',
        'dependencies_inherit_configuration = true\ndependencies = { "a:b/c" = { path = "d.wasm", inherit_configuration = true } }',
        'dependencies = { "a b" = { path = "d.wasm" } }',
        'dependencies = { "a:b/c" = { path = "d.wasm", nope = 1 } }',
        'dependencies = { "a:b/c" = { url = "http://x", digest = "md5:0" } }',
        # Other tables may be lists of their fields (GOOD), dependencies may not.
        'dependencies = { "a:b/c" = ["x.wasm", "e", true] }',
        'dependencies = { "a:b/c" = ["1.0", "r", "p:q", "e", true] }',
        'dependencies = { "a:b/c" = [] }',
        "dependencies = []",
    ],
    "id": [
        "a_b",
        "a--b",
        "-a",
        "a-",
        "1a",
        "a b",
        "a.b",
        "Ab",
        "aB",
        "é",
        "",
        "a-1",
        "a-1b",
    ],
}

_SPARED: dict[str, list[str]] = {
    "trigger": [
        'route = "/..."\ncomponent = "missing"',
        'route = "/..."\ncomponent = "C"',
    ],
    "source": [
        'source = ""',
    ],
    "component": [
        'variables = { a = "{{ x }}" }',
        'variables = { a = "{{ x" }',
        'files = [{ source = "static", destination = "../x" }]',
        'files = [{ source = "static", destination = "/../x" }]',
    ],
}

_VERSION_1: dict[str, list[str]] = {
    "root": [
        'description = "d"',
        'authors = ["x"]',
        '[variables]\nx = { default = "y" }',
    ],
    "id": [
        "snake_case",
        "mixedCase",
        "A-b",
    ],
    "component": [
        'description = "d"',
        'config = { a = "b" }',
        'environment = { a = "b" }',
        'files = ["static/*"]',
        'files = [{ source = "static", destination = "/" }]',
        'exclude_files = ["x"]',
        'allowed_http_hosts = ["x"]',
        'allowed_http_hosts = ["insecure:allow-all"]',
        'allowed_http_hosts = ["self"]',
        'allowed_outbound_hosts = ["http://x"]',
        "allowed_outbound_hosts = []",
        'allowed_http_hosts = ["x"]\nallowed_outbound_hosts = ["http://y"]',
        'allowed_http_hosts = ["x"]\nallowed_outbound_hosts = []',
        'key_value_stores = ["a"]',
        'sqlite_databases = ["a"]',
        'ai_models = ["a"]',
        'ai_models = ["A b"]',
        'build = { command = "x" }',
        'build = { command = ["x"] }',
    ],
}

_REFUSED_VERSION_1: dict[str, list[str]] = {
    "root": [
        "nope = 1",
        "[variables]\nx = {}",
    ],
    "id": [
        "a--b",
        "a b",
        "1a",
        "a_1",
        "é",
        "",
        "_a",
    ],
    "component": [
        'config = { A = "b" }',
        'allowed_http_hosts = ["http://x/y"]',
        "nope = 1",
        'variables = { a = "b" }',
        "dependencies = {}",
    ],
}


def _named(parts: dict[str, list[str]], make: Callable[..., str]) -> dict[str, str]:
    return {
        f"{part}: {' '.join(text.split())}": make(**{part: text})
        for part, texts in parts.items()
        for text in texts
    }


_X = {
    "a default": 'x = { default = "y" }',
    "no host": 'x = { default = "a b" }',
    "nothing": 'x = { default = "" }',
    "required": "x = { required = true }",
}
_HOSTED = [
    'allowed_outbound_hosts = ["http://{{ x }}"]',
    'allowed_outbound_hosts = ["{{ x }}"]',
    'variables = { a = "{{x}}" }',
]
_FILLED = {
    f"{entry} with {name}": manifest(variables=variable, component=entry)
    for entry in _HOSTED
    for name, variable in _X.items()
}
_MALFORMED = [
    f"{_HOSTED[0]} with no host",
    f"{_HOSTED[1]} with a default",
    f"{_HOSTED[1]} with no host",
]

_SECOND = '[[trigger.http]]\nroute = "/b"\ncomponent = "c"'
_MORE = {
    "two triggers of one component": _SECOND,
    "two inline components": '[[trigger.http]]\nroute = "/b"\ncomponent = { source = "x.wasm" }\n'
    '[[trigger.http]]\nroute = "/d"\ncomponent = { source = "y.wasm" }',
    "two trigger types": '[[trigger.redis]]\nchannel = "x"\ncomponent = "c"',
    "a component without a trigger": '[component.d]\nsource = "missing.wasm"',
    "a name that would be generated": _SECOND + '\nid = "c-http-trigger"',
    "an id twice": _SECOND + '\nid = "t"\n' + _SECOND.replace("/b", "/d") + '\nid = "t"',
    "middleware": _SECOND + '\ndependencies.middleware = ["d"]\n[component.d]\nsource = "d.wasm"',
    "a component for a dependency": '[component.d]\nsource = "d.wasm"\n[component.e]\n'
    'source = "x.wasm"\ndependencies = { "a:b/c" = { component = "d" } }',
}

GOOD = {
    "plain": manifest(),
    **_named(_GOOD, manifest),
    **{name: text for name, text in _FILLED.items() if name not in _MALFORMED},
    **{name: manifest(more=text) for name, text in _MORE.items()},
}
"""Manifests that become a lock."""

VERSION_1 = _named(_VERSION_1, version_1)
"""Likewise, of version 1."""

REFUSED = {
    **_named(_REFUSED, manifest),
    **_named(_REFUSED_VERSION_1, version_1),
    **{name: _FILLED[name] for name in _MALFORMED},
    **{f"version {value}": f"spin_manifest_version = {value}\n" for value in ("1", '"2"', "3")},
}
"""Manifests that become none."""

SPARED = _named(_SPARED, manifest)
"""Manifests of which Spin makes a lock that cannot be served, or writes files elsewhere."""

HOSTS = {
    True: [
        "http://h",
        "http://h:4444",
        "http://h/",
        "*://h:7777",
        "http://self",
        "http://*.example.com",
        "http://192.168.1.1",
        "http://192.168.1.1:3002",
        "http://[::1]",
        "http://[::1]:8080/",
        "*://127.0.0.0/24:80",
        "http://10.0.0.0/8",
        "http://ff00::/8",
        "http://2001:db8::/32:443",
        "http://::1/128",
        "http://*",
        "*://*:*",
        "ftp://x:21",
        "HTTP://x:80",
        "http://h:0",
        "http://h:*",
        "http://h:80..80",
        "http://h:90..80",
        "http://h:1..65535",
        "http://a_b",
        "http://a..b",
        "http://-a",
        "http://é",
        "http://self:80",
        "http://self.alt",
        "http://SELF",
        "http://self/",
        "https://*.self",
        "http://1.2.3.4/0",
        "http://::/0",
        "http://01.2.3.4",
        "postgres://h",
        "mysql://h",
        "redis://h",
        "mqtt://h",
    ],
    False: [
        "example.com",
        "localhost",
        "h:80",
        "[::1]:8080",
        "http://h:6666/a/b",
        "http://h//",
        "*://127.0.0.0/24",
        "http://*.",
        "http://*.127.0.0.1",
        "http://[::1",
        "http://[::1]::80",
        "http://example.com:notaport",
        "http://h:8080..70000",
        "http://example.com:80:90",
        "http://exa[mple.com",
        "*:*",
        "",
        "*://*",
        "HTTP://x",
        "h2://x:1",
        "http://a.*",
        "http://**",
        "http://user@h",
        "http://h#x",
        "{http,https}://h",
        "http://1.2.3.4/33",
        "*://h",
        "http:///",
        "://h",
        "http:h",
    ],
}
"""Entries of ``allowed_outbound_hosts``, by whether they are accepted."""
