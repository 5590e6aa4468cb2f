"""Connections that guests' requests go out on: names, sockets, TLS, HTTP/1.1.

Everything here runs in one event loop and knows nothing of components; ``http_client`` hands
it requests and threads nothing else through.
"""
