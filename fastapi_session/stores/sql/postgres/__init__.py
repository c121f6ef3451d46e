"""Batches on PostgreSQL: many sessions by one statement, on a connection of SQLAlchemy's pool but below SQLAlchemy."""
