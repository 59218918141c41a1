"""Celery tasks of accounts: each only a doorbell that lets a worker look into the database for work."""
