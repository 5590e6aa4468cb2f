"""Resources for SpinKube: what the operator and Kubernetes take, and nothing else."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgezero_spin.errors import EdgeZeroError
from edgezero_spin.project.kube_scaffold import KubeRequest, scaffold
from edgezero_spin.project.yaml_text import yaml_documents

IMAGE = "ghcr.io/acme/shop:1.0"

# What the custom resource and the two autoscalers have: a list holds its items' form, a mapping
# from "*" any key. The fields are those of spinapps.core.spinkube.dev, v1alpha1.
KEY_REF = {"name": str, "key": str, "optional": bool}
PROBE = {
    "httpGet": {"path": str, "httpHeaders": [{"name": str, "value": str}]},
    "initialDelaySeconds": int,
    "timeoutSeconds": int,
    "periodSeconds": int,
    "successThreshold": int,
    "failureThreshold": int,
}
OPTIONS = [
    {
        "name": str,
        "value": str,
        "valueFrom": {"configMapKeyRef": KEY_REF, "secretKeyRef": KEY_REF},
    }
]
TARGET = {"apiVersion": str, "kind": str, "name": str}
FORMS: dict[str, dict[str, Any]] = {
    "SpinApp": {
        "image": str,
        "executor": str,
        "replicas": int,
        "enableAutoscaling": bool,
        "serviceAccountName": str,
        "imagePullSecrets": [{"name": str}],
        "checks": {"readiness": PROBE, "liveness": PROBE},
        "components": [str],
        "invocationLimits": {"*": str},
        "variables": [
            {
                "name": str,
                "value": str,
                "valueFrom": {"configMapKeyRef": KEY_REF, "secretKeyRef": KEY_REF},
            }
        ],
        "runtimeConfig": {
            "loadFromSecret": str,
            "sqliteDatabases": [{"name": str, "type": str, "options": OPTIONS}],
            "keyValueStores": [{"name": str, "type": str, "options": OPTIONS}],
            "llmCompute": {"type": str, "options": OPTIONS},
        },
        "resources": {"limits": {"*": str}, "requests": {"*": str}},
        "podLabels": {"*": str},
        "podAnnotations": {"*": str},
        "serviceAnnotations": {"*": str},
        "deploymentAnnotations": {"*": str},
    },
    "HorizontalPodAutoscaler": {
        "scaleTargetRef": TARGET,
        "minReplicas": int,
        "maxReplicas": int,
        "metrics": [
            {
                "type": str,
                "resource": {"name": str, "target": {"type": str, "averageUtilization": int}},
            }
        ],
    },
    "ScaledObject": {
        "scaleTargetRef": TARGET,
        "minReplicaCount": int,
        "maxReplicaCount": int,
        "triggers": [{"type": str, "metricType": str, "metadata": {"*": str}}],
    },
}
VERSIONS = {
    "SpinApp": "core.spinkube.dev/v1alpha1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "ScaledObject": "keda.sh/v1alpha1",
    "Secret": "v1",
}


def check(value: Any, form: Any, place: str) -> None:
    """Hold a value to the form of its field."""
    if isinstance(form, dict):
        assert isinstance(value, dict), place
        for name, inner in value.items():
            assert name in form or "*" in form, f"{place}.{name} is no field"
            check(inner, form.get(name, form.get("*")), f"{place}.{name}")
    elif isinstance(form, list):
        assert isinstance(value, list), place
        assert value, f"{place} is empty"
        for item in value:
            check(item, form[0], f"{place}[]")
    else:
        assert type(value) is form, f"{place}: {value!r}"


def resources(**wanted: Any) -> list[dict[str, Any]]:
    """The resources for a request, each held to the fields that its kind has."""
    documents = list(yaml.safe_load_all(scaffold(KubeRequest(image=IMAGE, **wanted))))
    for document in documents:
        kind = document["kind"]
        assert document["apiVersion"] == VERSIONS[kind]
        assert isinstance(document["metadata"]["name"], str)
        if kind in FORMS:
            assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
            check(document["spec"], FORMS[kind], kind)
    return documents


def test_what_is_written_by_itself() -> None:
    """A SpinApp with the plugin's defaults."""  # KUBE-30, KUBE-31, V-80
    assert resources() == [
        {
            "apiVersion": "core.spinkube.dev/v1alpha1",
            "kind": "SpinApp",
            "metadata": {"name": "shop"},
            "spec": {"image": IMAGE, "executor": "containerd-shim-spin", "replicas": 2},
        }
    ]


def test_everything_at_once(tmp_path: Path) -> None:
    """All fields are ones that the custom resource has, in the plugin's order."""  # KUBE-31, K8S-1
    config = tmp_path / "rc.toml"
    config.write_text('[key_value_store.default]\ntype = "redis"\nurl = "redis://r:6379"\n')
    app, secret = resources(
        executor="spin",
        azure_identity=True,
        service_account="account",
        variables={"foo": "yoo", "bar": "yee"},
        secret_variables={"token": ("shop", "api-token")},
        components=("hello", "world"),
        cpu_limit="1",
        cpu_request="100m",
        memory_limit="128Mi",
        memory_request="64Mi",
        invocation_memory="32Mi",
        image_pull_secrets=("one", "two"),
        readiness_path="/ready",
        liveness_path="/live",
        runtime_config=config,
    )
    spec = app["spec"]
    assert list(spec) == [
        "image",
        "executor",
        "replicas",
        "podLabels",
        "serviceAccountName",
        "variables",
        "components",
        "resources",
        "invocationLimits",
        "imagePullSecrets",
        "checks",
        "runtimeConfig",
    ]
    assert [each["name"] for each in spec["variables"]] == ["bar", "foo", "token"]
    assert spec["variables"][2] == {
        "name": "token",
        "valueFrom": {"secretKeyRef": {"name": "shop", "key": "api-token"}},
    }
    assert spec["podLabels"] == {"azure.workload.identity/use": "true"}
    # KUBE-32, V-84
    assert spec["runtimeConfig"] == {"loadFromSecret": "shop-runtime-config"}
    assert (secret["metadata"]["name"], secret["type"]) == ("shop-runtime-config", "Opaque")
    assert list(secret["data"]) == ["runtime-config.toml"]
    assert base64.b64decode(secret["data"]["runtime-config.toml"]) == config.read_bytes()


@pytest.mark.parametrize(
    ("kind", "autoscaler", "least", "most", "aims"),
    [
        ("hpa", "HorizontalPodAutoscaler", "minReplicas", "maxReplicas", "metrics"),
        ("keda", "ScaledObject", "minReplicaCount", "maxReplicaCount", "triggers"),
    ],
)
def test_an_autoscaler(kind: str, autoscaler: str, least: str, most: str, aims: str) -> None:
    """It aims at the Deployment of the app, which then names no number of its own."""
    # KUBE-33, K8S-4, V-82
    app, scaler = resources(autoscaler=kind, cpu_limit="100m", memory_limit="128Mi")
    assert app["spec"]["enableAutoscaling"] is True
    assert "replicas" not in app["spec"]
    assert (scaler["kind"], scaler["metadata"]["name"]) == (autoscaler, "shop-autoscaler")
    spec = scaler["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    assert (spec[least], spec[most]) == (2, 3)
    names = [each.get("resource", {}).get("name", each["type"]) for each in spec[aims]]
    assert names == ["cpu", "memory"]


@pytest.mark.parametrize(
    ("image", "name"),
    [  # K8S-6
        ("ghcr.io/acme/shop@sha256:" + "a" * 64, "shop"),
        ("localhost:5000/shop", "shop"),
        ("shop", "shop"),
        ("ghcr.io/a/b/c/deep-name:v1", "deep-name"),
    ],
)
def test_the_name_is_the_end_of_the_path(image: str, name: str) -> None:
    """Without tag and digest; the image stays as it was typed."""
    (app,) = yaml.safe_load_all(scaffold(KubeRequest(image=image)))
    assert (app["metadata"]["name"], app["spec"]["image"]) == (name, image)


SCALED = {"autoscaler": "hpa", "cpu_limit": "1", "memory_limit": "1Gi"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [  # KUBE-34, K8S-5, K8S-6, K8S-14, V-83
        ({"image": "https://ghcr.io/acme/shop"}, "this is not a reference"),
        ({"image": "ghcr.io/acme/my_shop"}, "'my_shop' cannot be the name of a Service"),
        ({"image": "ghcr.io/acme/1shop"}, "--name"),
        ({"name": "Shop"}, "'Shop' cannot be the name"),
        ({"name": "a" * 64}, "cannot be the name"),
        ({"replicas": -1}, "--replicas is -1: it must be 1 or more"),
        ({"replicas": 0}, "it must be 1 or more"),
        ({**SCALED, "replicas": 0}, "it must be 1 or more"),
        ({"autoscaler": "hpa"}, "cpu limits must be set when autoscaling is enabled: --cpu-limit"),
        ({"autoscaler": "hpa", "cpu_limit": "1"}, "memory limits must be set"),
        ({**SCALED, "autoscaler": "x"}, "'x' is not an autoscaler"),
        ({**SCALED, "max_replicas": 0}, "--max-replicas is 0"),
        ({**SCALED, "replicas": 4}, "--replicas is 4, more than --max-replicas, 3"),
        ({**SCALED, "cpu_utilization": 0}, "--autoscaler-target-cpu-utilization is 0"),
        ({**SCALED, "memory_utilization": 101}, "--autoscaler-target-memory-utilization is 101"),
        ({"cpu_limit": "lots"}, "--cpu-limit: 'lots' is not a quantity"),
        ({"memory_limit": "128MB"}, "'128MB' is not a quantity"),
        ({"memory_request": "-1"}, "'-1' is not a quantity"),
        ({"cpu_limit": "1", "cpu_request": "1500m"}, "--cpu-request, 1500m, is more than"),
        ({"memory_limit": "1G", "memory_request": "1Gi"}, "--memory-request, 1Gi, is more than"),
        ({"memory_limit": "1Mi", "invocation_memory": "2Mi"}, "--invocation-memory, 2Mi, is more"),
        ({"variables": {"A-B": "x"}}, "'A-B' cannot be a variable of Spin"),
        ({"variables": {"a": "x"}, "secret_variables": {"a": ("s", "k")}}, "the variable a has a"),
        ({"secret_variables": {"a": ("s", "k/l")}}, "'s/k/l' is not the name of a Secret"),
        ({"secret_variables": {"a": ("S", "k")}}, "'S/k' is not the name of a Secret"),
        ({"secret_variables": {"a": ("..", "k")}}, "'../k' is not the name of a Secret"),
        ({"name": ""}, "'' cannot be the name of a Service"),
        ({"executor": 'x"y'}, "--executor: 'x\"y' cannot be a name in Kubernetes"),
        ({"executor": ""}, "--executor: ''"),
        ({"service_account": "my_account"}, "--service-account-name: 'my_account' cannot be"),
        ({"image_pull_secrets": ("good", "a'b")}, '--image-pull-secret: "a\'b" cannot be'),
        ({"image_pull_secrets": ("a" * 254,)}, "--image-pull-secret: 'aaa"),
        ({"image_pull_secrets": ("a.-b",)}, "--image-pull-secret: 'a.-b' cannot be"),
        ({"components": ("shop", "a b")}, "--component: 'a b' cannot be the id of a component"),
        ({"readiness_path": "ready"}, "'ready' is not a path for a probe"),
        ({"runtime_config": Path("/nowhere.toml")}, "/nowhere.toml"),
    ],
)
def test_what_the_cluster_would_refuse(wanted: dict[str, Any], says: str) -> None:
    """Is refused here, with the flag and what to do."""
    with pytest.raises(EdgeZeroError) as caught:
        scaffold(KubeRequest(**{"image": IMAGE, **wanted}))
    assert says in str(caught.value)


@pytest.mark.parametrize(("small", "large"), [("1e3", "1k"), ("0.5", "500m"), ("1024Ki", "1Mi")])
def test_quantities_are_compared_by_their_value(small: str, large: str) -> None:
    """Whatever unit they have."""
    resources(memory_limit=large, memory_request=small)


def test_keda_may_go_down_to_nothing() -> None:
    """The other autoscaler may not."""
    _, scaler = resources(**{**SCALED, "autoscaler": "keda", "replicas": 0})
    assert scaler["spec"]["minReplicaCount"] == 0


@given(value=st.text())
def test_a_value_stays_the_text_that_it_was(value: str) -> None:
    """Whatever a YAML parser would make of it without quotes."""  # K8S-2
    text = yaml_documents([{"outer": {value: [value, {"inner": value}]}}])
    expected = {"outer": {value: [value, {"inner": value}]}}
    assert yaml.safe_load(text) == expected


@pytest.mark.parametrize(
    "value", ["true", "no", "1", "1e3", "0x1F", "12:30:45", "~", "- a", "a: b", "#", "{{x}}", "&a"]
)
def test_a_variable_is_always_quoted(value: str) -> None:
    """Every parser reads a text, that of Kubernetes, too, which is not tried here."""  # K8S-2
    text = scaffold(KubeRequest(image=IMAGE, variables={"a": value}))
    assert f'    value: "{value}"\n' in text
