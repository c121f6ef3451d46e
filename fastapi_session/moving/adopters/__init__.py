"""Logins of another system that become sessions here, at the first request that brings one."""
