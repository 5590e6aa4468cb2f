"""Test an application twice with one test: natively, and as the component that it becomes.

```python
from edgezero_spin.testing import ComponentClient, TestClient

client = TestClient(app, kv={"notes": {"bread": {"title": "Bread"}}})
client = ComponentClient("spin.toml", kv={"notes": {"bread": {"title": "Bread"}}})
```

Both have the same methods, the same responses and the same control over stores. The engine
is loaded by the first ``ComponentClient``, not by this import. Contracts for authors of
store backends are in ``testing.contracts``.
"""

from edgezero_spin.testing.client import AsyncClient, Client
from edgezero_spin.testing.component import ComponentClient
from edgezero_spin.testing.cookie_jar import Cookies
from edgezero_spin.testing.databases import DatabaseView, DatabaseViews
from edgezero_spin.testing.errors import (
    BrokenBodyError,
    BudgetError,
    KitError,
    MissingComponentError,
    NoAnswerError,
    PreloadError,
    StaleComponentError,
    StatusError,
    UnknownLabelError,
    UnknownVariableError,
)
from edgezero_spin.testing.event_result import EventResult
from edgezero_spin.testing.imports import assert_imports
from edgezero_spin.testing.native import TestClient
from edgezero_spin.testing.outbound import HttpScript, ScriptedAnswer, SentRequest
from edgezero_spin.testing.preload import as_json
from edgezero_spin.testing.response import ClientResponse, Usage
from edgezero_spin.testing.store_control import Fault, StoreControl, StoreView, StoreViews
from edgezero_spin.testing.store_log import StoreCall, StoreLog
from edgezero_spin.testing.unavailable_imports import ComponentImportWarning

__all__ = [
    "AsyncClient",
    "BrokenBodyError",
    "BudgetError",
    "Client",
    "ClientResponse",
    "ComponentClient",
    "ComponentImportWarning",
    "Cookies",
    "DatabaseView",
    "DatabaseViews",
    "EventResult",
    "Fault",
    "HttpScript",
    "KitError",
    "MissingComponentError",
    "NoAnswerError",
    "PreloadError",
    "ScriptedAnswer",
    "SentRequest",
    "StaleComponentError",
    "StatusError",
    "StoreCall",
    "StoreControl",
    "StoreLog",
    "StoreView",
    "StoreViews",
    "TestClient",
    "UnknownLabelError",
    "UnknownVariableError",
    "Usage",
    "as_json",
    "assert_imports",
]
