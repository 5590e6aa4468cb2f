"""Pools of connections to database servers."""
