"""The evidence of a version: everything that shows who agreed to what, checkable without this program."""
