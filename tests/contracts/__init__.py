"""The store clauses as cases that run anywhere: natively, and inside a component.

Each case is one coroutine function over the ``Stores`` of a request, with the preconditions
that a host has to arrange. Nothing here imports pytest or a third party, so a component can
hold the table and be told by name which case to run.

``tests.contracts.table`` gathers all of them.
"""
