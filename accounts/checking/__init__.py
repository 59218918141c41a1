"""Checks of a framework version that need the engine or live accounts, and its sample records."""
