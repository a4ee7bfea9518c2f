"""Dialogs: small screens that ask or tell one thing and close."""
