"""The linter: what is wrong with a version before anybody signs it.

Checks over parts alone are here and pure. Those that ask the engine or live accounts belong to accounts, which
registers itself in `slot`.
"""
