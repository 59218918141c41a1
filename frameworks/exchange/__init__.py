"""Frameworks as text: one YAML file with every part, for version control, templates and other installations."""
