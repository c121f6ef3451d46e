"""MySQL and MariaDB asked for many sessions in one transaction."""
