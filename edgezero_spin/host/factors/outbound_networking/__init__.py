"""Outbound networking: where the connections of an application may go."""
