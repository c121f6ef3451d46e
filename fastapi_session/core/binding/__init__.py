"""Binding: a session is refreshed only by who has its key (Device Bound Session Credentials, and DPoP of RFC 9449)."""
