"""Clients that know what their sessions hold, and what shows it when PostgreSQL sees it differently."""
