"""Which roles may do what in governance (the defaults of the product; compared with the matrix in tests/)."""

from frameworks.roles import Role

ROLES_BY_PERMISSION: dict[str, frozenset[Role]] = {
    "request_override": frozenset(
        {Role.REVOPS, Role.CS_OPS, Role.DEAL_DESK, Role.SALES_LEAD, Role.CSM, Role.INTEGRATION}
    ),
    "decide_override": frozenset({Role.CS_OPS, Role.DEAL_DESK}),
    "decide_transition": frozenset({Role.CS_OPS, Role.DEAL_DESK}),
    "edit_intake": frozenset({Role.REVOPS, Role.ARCHITECT}),
    "sign_intake_scope": frozenset({Role.EXECUTIVE}),
    "manage_tokens": frozenset({Role.REVOPS}),
    "run_meetings": frozenset({Role.REVOPS, Role.ARCHITECT}),
    # Beside them, the author of a version invites people to it.
    "invite_reader": frozenset({Role.REVOPS}),
    "view_audit": frozenset({Role.EXECUTIVE, Role.REVOPS, Role.AUDITOR}),
}
