"""The local explorer: a page that shows what an application does, for whoever develops it.

``Recorder`` is an observer that keeps the latest requests, ``Explorer`` answers the page and its
data. Both know the host from the outside: its observers, stores, variables and plan.
"""
