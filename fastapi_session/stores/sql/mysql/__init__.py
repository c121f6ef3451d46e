"""Batches on MySQL and MariaDB: many sessions in one transaction."""
