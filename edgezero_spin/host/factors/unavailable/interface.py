"""Interfaces that this host knows and does not provide: MySQL, MQTT, LLM.

A component that imports them loads, and may never call them. A call is checked as Spin
checks it and then fails with an error of its own interface, so that a guest can go on; the
message says who provides it.

Source: contract spin-host.md, DB-5 to DB-10, NET-23 to NET-25, CONF-4.
"""

from collections.abc import Callable
from typing import Any

from edgezero_spin.host.factors.instance import InstanceState
from edgezero_spin.host.factors.outbound_networking.addresses import may_connect
from edgezero_spin.host.runtime.interface import HostFunction, Interface, WitError

__all__ = ["INTERFACES", "NOT_PROVIDED"]

NOT_PROVIDED = "not supported by this host; `spin up` provides it"
"""What every such call ends in."""

Check = Callable[[InstanceState, str], None]


class _Nothing:
    """A connection that nobody ever gets."""


class _MysqlConnection(_Nothing):
    """Of ``fermyon:spin/mysql``."""


class _MqttConnection(_Nothing):
    """Of ``fermyon:spin/mqtt``."""


def _failed(message: str) -> WitError:
    return WitError(("connection-failed", message))


def _check_address(scheme: str) -> Check:
    def check(state: InstanceState, address: str) -> None:
        if not may_connect(state, address, scheme):
            raise _failed(f"address {address} is not permitted")

    return check


def _refused_after(check: Check, case: str = "other") -> HostFunction:
    """A function whose first parameter is an address, and which never succeeds."""

    def call(state: InstanceState, address: str, *rest: Any) -> None:
        check(state, address)
        raise WitError((case, NOT_PROVIDED))

    return call


_open_mysql = _refused_after(_check_address("mysql"))
_open_mqtt = _refused_after(_check_address("mqtt"))


def _ask_model(state: InstanceState, model: str, *rest: Any) -> None:
    if model not in state.grants.ai_models:
        raise WitError(
            (
                "invalid-input",
                f"The component does not have access to use '{model}'. To give the component "
                f"access, add '{model}' to the 'ai_models' key for the component in your "
                "spin.toml manifest",
            )
        )
    raise WitError(("runtime-error", NOT_PROVIDED))


def _connections(name: str, open_: HostFunction, class_: type) -> Interface:
    return Interface(name, {"[static]connection.open": open_}, {"connection": class_})


def _by_address(name: str, check: Check) -> Interface:
    """An unversioned interface, in which every function takes the address."""
    call = _refused_after(check, "other-error")
    return Interface(name, {"query": call, "execute": call})


_LLM: dict[str, HostFunction] = {"infer": _ask_model, "generate-embeddings": _ask_model}

INTERFACES = (
    _connections("spin:mysql/mysql@3.0.0", _open_mysql, _MysqlConnection),
    _connections("spin:mqtt/mqtt@3.0.0", _open_mqtt, _MqttConnection),
    _connections("fermyon:spin/mysql@2.0.0", _open_mysql, _MysqlConnection),
    _connections("fermyon:spin/mqtt@2.0.0", _open_mqtt, _MqttConnection),
    Interface("fermyon:spin/llm@2.0.0", _LLM),
    _by_address("fermyon:spin/mysql", _check_address("mysql")),
    Interface("fermyon:spin/llm", _LLM),
)
"""The interfaces, versions included. Functions that need a connection trap: there is none."""
