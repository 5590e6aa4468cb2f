"""Resources of Kubernetes that run an image on SpinKube, as ``spin kube scaffold`` writes them.

In: a ``KubeRequest``. Out: YAML: the SpinApp, then a Secret with the runtime configuration and an
autoscaler where they are wanted. No cluster is asked and none is needed.

Source: contract spin-host.md, KUBE-1 to KUBE-34; services.md, K8S-1 to K8S-18.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from edgezero_spin.errors import ProjectError
from edgezero_spin.manifest.image_reference import parse_image_reference, without_credentials
from edgezero_spin.manifest.runtime_config import load_runtime_config
from edgezero_spin.project.yaml_text import Word, yaml_documents

__all__ = ["Autoscaler", "KubeRequest", "app_name", "scaffold"]

Autoscaler = Literal["hpa", "keda"]

_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_COMPONENT = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", re.IGNORECASE)
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_QUANTITY = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<unit>[A-Za-z]*)")
_EXPONENT = re.compile(r"[0-9.]+[eE][-+]?[0-9]+")
_UNITS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}
_CONFIG_FILE = "runtime-config.toml"


@attrs.frozen(kw_only=True)
class KubeRequest:
    """What to run, and how.

    Attributes:
        image: The image, by tag or digest.
        name: The application's; ``None`` for the last part of the image's path.
        replicas: How many there are, at least where an autoscaler decides.
        max_replicas: How many there are at most; for an autoscaler.
        autoscaler: Who decides; ``None`` for nobody.
        cpu_utilization: Percentage that the autoscaler aims at.
        memory_utilization: The same of memory.
        executor: Name of the SpinAppExecutor.
        cpu_limit: A quantity such as ``100m``; ``None`` for none, here and below.
        cpu_request: What a node has to have free for it.
        memory_limit: A quantity such as ``128Mi``.
        memory_request: What a node has to have free for it.
        invocation_memory: Most memory of one instance.
        image_pull_secrets: Secrets to pull the image with.
        service_account: Of the pods.
        azure_identity: Pods have the label of Azure Workload Identity.
        variables: Values of the application's variables.
        secret_variables: Variables whose values are in a Secret: its name, and the key.
        components: Those to run; all when empty.
        runtime_config: A runtime configuration that becomes a Secret.
        readiness_path: What is asked to find out whether requests can be sent.
        liveness_path: What is asked to find out whether to start again.
    """

    image: str
    name: str | None = None
    replicas: int = 2
    max_replicas: int = 3
    autoscaler: Autoscaler | None = None
    cpu_utilization: int = 60
    memory_utilization: int = 60
    executor: str = "containerd-shim-spin"
    cpu_limit: str | None = None
    cpu_request: str | None = None
    memory_limit: str | None = None
    memory_request: str | None = None
    invocation_memory: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    service_account: str | None = None
    azure_identity: bool = False
    variables: Mapping[str, str] = attrs.field(factory=dict)
    secret_variables: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    components: tuple[str, ...] = ()
    runtime_config: Path | None = None
    readiness_path: str | None = None
    liveness_path: str | None = None


def scaffold(request: KubeRequest) -> str:
    """Return the resources as one YAML text.

    Raises:
        ProjectError: Kubernetes or the Spin operator would refuse them; the first fault is named.
        ManifestError: The runtime configuration cannot be used.
    """
    name = app_name(request)
    _check(request)
    documents = [_spin_app(request, name)]
    if request.runtime_config is not None:
        documents.append(_secret(name, request.runtime_config))
    if request.autoscaler is not None:
        documents.append(_autoscaler(request, name, request.autoscaler))
    return yaml_documents(documents)


def app_name(request: KubeRequest) -> str:
    """Return the name of the application, which its Deployment and its Service have as well.

    Raises:
        ProjectError: The image is not a reference, or a Service cannot have the name.
    """
    try:
        image = parse_image_reference(request.image)
    except ValueError as error:
        raise ProjectError(f"{without_credentials(request.image)!r}: {error}") from error
    name = request.name if request.name is not None else image.repository.rpartition("/")[2]
    if _LABEL.fullmatch(name) is None:
        raise ProjectError(
            f"{name!r} cannot be the name of a Service: that has at most 63 small letters, digits "
            "and dashes and begins with a letter; choose another one with --name"
        )
    return name


def _check(request: KubeRequest) -> None:
    for fault in _faults(request):
        raise ProjectError(fault)


def _faults(request: KubeRequest) -> Iterator[str]:
    least = 0 if request.autoscaler == "keda" else 1
    if request.replicas < least:
        yield f"--replicas is {request.replicas}: it must be {least} or more"
    if request.autoscaler is not None:
        yield from _autoscaling_faults(request)
    yield from _resource_faults(request)
    for name in (*request.variables, *request.secret_variables):
        if _VARIABLE.fullmatch(name) is None:
            yield f"{name!r} cannot be a variable of Spin: small letters, digits and underscores"
    for name in sorted(request.variables.keys() & request.secret_variables.keys()):
        yield f"the variable {name} has a value by --variable and one by --secret-variable"
    for name, (secret, key) in request.secret_variables.items():
        if _NAME.fullmatch(secret) is None or _KEY.fullmatch(key) is None:
            yield (
                f"--secret-variable {name}: {f'{secret}/{key}'!r} is not the name of a Secret, a "
                "slash and a key"
            )
    yield from _name_faults(request)
    for path in (request.readiness_path, request.liveness_path):
        if path is not None and not path.startswith("/"):
            yield f"{path!r} is not a path for a probe: begin it with a slash"


def _name_faults(request: KubeRequest) -> Iterator[str]:
    account = request.service_account
    for flag, names in (
        ("--executor", (request.executor,)),
        ("--service-account-name", () if account is None else (account,)),
        ("--image-pull-secret", request.image_pull_secrets),
    ):
        for name in names:
            if _NAME.fullmatch(name) is None:
                yield (
                    f"{flag}: {name!r} cannot be a name in Kubernetes: small letters, digits, "
                    "dashes and dots"
                )
    for name in request.components:
        if _COMPONENT.fullmatch(name) is None:
            yield f"--component: {name!r} cannot be the id of a component"


def _autoscaling_faults(request: KubeRequest) -> Iterator[str]:
    if request.autoscaler not in get_args(Autoscaler):
        yield f"{request.autoscaler!r} is not an autoscaler: choose hpa or keda"
    if request.max_replicas < 1:
        yield f"--max-replicas is {request.max_replicas}: it must be 1 or more"
    if request.replicas > request.max_replicas:
        yield f"--replicas is {request.replicas}, more than --max-replicas, {request.max_replicas}"
    for kind, limit in (("cpu", request.cpu_limit), ("memory", request.memory_limit)):
        if limit is None:
            yield f"{kind} limits must be set when autoscaling is enabled: --{kind}-limit"
    for kind, percentage in (
        ("cpu", request.cpu_utilization),
        ("memory", request.memory_utilization),
    ):
        if not 1 <= percentage <= 100:
            yield f"--autoscaler-target-{kind}-utilization is {percentage}: it is from 1 to 100"


def _resource_faults(request: KubeRequest) -> Iterator[str]:
    cpu = ("--cpu-limit", request.cpu_limit)
    memory = ("--memory-limit", request.memory_limit)
    for flag, text, (limit_flag, limit_text) in (
        (*cpu, cpu),
        ("--cpu-request", request.cpu_request, cpu),
        (*memory, memory),
        ("--memory-request", request.memory_request, memory),
        ("--invocation-memory", request.invocation_memory, memory),
    ):
        if text is None:
            continue
        amount = _quantity(text)
        limit = None if limit_text is None else _quantity(limit_text)
        if amount is None:
            yield f"{flag}: {text!r} is not a quantity such as 100m, 0.5 or 128Mi"
        elif limit is not None and amount > limit:
            yield f"{flag}, {text}, is more than {limit_flag}, {limit_text}"


def _quantity(text: str) -> Decimal | None:
    """Return the number that a quantity of Kubernetes stands for; ``None`` for none."""
    if _EXPONENT.fullmatch(text) and text.count(".") <= 1:
        return Decimal(text)
    found = _QUANTITY.fullmatch(text)
    unit = None if found is None else _UNITS.get(found["unit"])
    return None if found is None or unit is None else Decimal(found["number"]) * unit


def _spin_app(request: KubeRequest, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"image": request.image, "executor": request.executor}
    if request.autoscaler is None:
        spec["replicas"] = request.replicas
    else:
        spec["enableAutoscaling"] = True
    if request.azure_identity:
        spec["podLabels"] = {"azure.workload.identity/use": "true"}
    if request.service_account is not None:
        spec["serviceAccountName"] = request.service_account
    variables = _variables(request)
    if variables:
        spec["variables"] = variables
    if request.components:
        spec["components"] = list(request.components)
    limits = _given(cpu=request.cpu_limit, memory=request.memory_limit)
    requests = _given(cpu=request.cpu_request, memory=request.memory_request)
    if limits or requests:
        spec["resources"] = _given(limits=limits or None, requests=requests or None)
    if request.invocation_memory is not None:
        spec["invocationLimits"] = {"memory": request.invocation_memory}
    if request.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret} for secret in request.image_pull_secrets]
    checks = {
        kind: {"httpGet": {"path": path}}
        for kind, path in (
            ("readiness", request.readiness_path),
            ("liveness", request.liveness_path),
        )
        if path is not None
    }
    if checks:
        spec["checks"] = checks
    if request.runtime_config is not None:
        spec["runtimeConfig"] = {"loadFromSecret": _secret_name(name)}
    return _resource("core.spinkube.dev/v1alpha1", "SpinApp", name, spec)


def _variables(request: KubeRequest) -> list[dict[str, Any]]:
    """Return the variables, sorted by name as the plugin sorts them."""
    values: dict[str, Any] = {name: {"value": value} for name, value in request.variables.items()}
    for name, (secret, key) in request.secret_variables.items():
        values[name] = {"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
    return [{"name": name, **values[name]} for name in sorted(values)]


def _secret(name: str, path: Path) -> dict[str, Any]:
    # What the operator mounts is read by a Spin: better refused here than there.
    load_runtime_config(path)
    content = base64.b64encode(path.read_bytes()).decode()
    return {
        "apiVersion": Word("v1"),
        "kind": Word("Secret"),
        "metadata": {"name": _secret_name(name)},
        "type": Word("Opaque"),
        "data": {_CONFIG_FILE: content},
    }


def _autoscaler(request: KubeRequest, name: str, kind: Autoscaler) -> dict[str, Any]:
    deployment = {"apiVersion": Word("apps/v1"), "kind": Word("Deployment"), "name": name}
    aims = {"cpu": request.cpu_utilization, "memory": request.memory_utilization}
    if kind == "hpa":
        metrics = [
            {
                "type": Word("Resource"),
                "resource": {
                    "name": Word(resource),
                    "target": {"type": Word("Utilization"), "averageUtilization": percentage},
                },
            }
            for resource, percentage in aims.items()
        ]
        spec = {
            "scaleTargetRef": deployment,
            "minReplicas": request.replicas,
            "maxReplicas": request.max_replicas,
            "metrics": metrics,
        }
        return _resource("autoscaling/v2", "HorizontalPodAutoscaler", f"{name}-autoscaler", spec)
    triggers = [
        {
            "type": Word(resource),
            "metricType": Word("Utilization"),
            "metadata": {"value": str(percentage)},
        }
        for resource, percentage in aims.items()
    ]
    spec = {
        "scaleTargetRef": deployment,
        "minReplicaCount": request.replicas,
        "maxReplicaCount": request.max_replicas,
        "triggers": triggers,
    }
    return _resource("keda.sh/v1alpha1", "ScaledObject", f"{name}-autoscaler", spec)


def _resource(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": Word(version),
        "kind": Word(kind),
        "metadata": {"name": name},
        "spec": spec,
    }


def _secret_name(name: str) -> str:
    return f"{name}-runtime-config"


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
