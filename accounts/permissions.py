"""Which roles may do what with accounts (the defaults of the product; compared with the matrix in tests/)."""

from frameworks.roles import Role

ROLES_BY_PERMISSION: dict[str, frozenset[Role]] = {
    "import_accounts": frozenset({Role.REVOPS, Role.CS_OPS, Role.INTEGRATION}),
    # Programs keep lists that come from elsewhere, such as an index; their token's scope says whether.
    "edit_lists": frozenset({Role.REVOPS, Role.CS_OPS, Role.ARCHITECT, Role.INTEGRATION}),
    "start_run": frozenset({Role.REVOPS}),
    "release_run": frozenset({Role.REVOPS, Role.CS_OPS}),
}
