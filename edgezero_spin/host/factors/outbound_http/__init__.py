"""Connections that guests' requests go out on: names, sockets, TLS, HTTP/1.1.

Everything here runs in one event loop; ``client`` hands it requests.
"""
