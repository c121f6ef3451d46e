"""PostgreSQL asked below SQLAlchemy: many sessions by one statement, on a connection of the pool."""
