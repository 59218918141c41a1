"""Which roles may do what in frameworks (the defaults of the product; compared with the matrix in tests/)."""

from frameworks.roles import Role

ROLES_BY_PERMISSION: dict[str, frozenset[Role]] = {
    "edit_draft": frozenset({Role.REVOPS, Role.ARCHITECT}),
    # A pipeline brings a whole file, which people then read, submit and sign; it edits no draft of theirs.
    "apply_file": frozenset({Role.REVOPS, Role.ARCHITECT, Role.INTEGRATION}),
    "confirm_part": frozenset(
        {
            Role.STAKEHOLDER,
            Role.EXECUTIVE,
            Role.FINANCE,
            Role.REVOPS,
            Role.CS_OPS,
            Role.SALES_LEAD,
            Role.ARCHITECT,
        }
    ),
    "sign_version": frozenset(
        {Role.STAKEHOLDER, Role.EXECUTIVE, Role.FINANCE, Role.REVOPS, Role.CS_OPS, Role.SALES_LEAD}
    ),
    "submit_version": frozenset({Role.REVOPS}),
    "activate_version": frozenset({Role.EXECUTIVE, Role.REVOPS}),
    "activate_emergency": frozenset({Role.EXECUTIVE}),
    # A CSM speaks about the accounts of their book, by exceptions; a definition is in nobody's book.
    "comment_version": frozenset(
        {
            Role.STAKEHOLDER,
            Role.EXECUTIVE,
            Role.FINANCE,
            Role.REVOPS,
            Role.CS_OPS,
            Role.DEAL_DESK,
            Role.SALES_LEAD,
            Role.ARCHITECT,
        }
    ),
    "view_user": frozenset({Role.REVOPS}),
    "add_user": frozenset({Role.REVOPS}),
    "change_user": frozenset({Role.REVOPS}),
}
