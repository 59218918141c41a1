from django.apps import AppConfig
from django.db.models.signals import post_migrate


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = "Governance"

    def ready(self) -> None:
        from frameworks import roles
        from governance import navigation, panels, permissions, receivers
        from governance.services import audit

        roles.register(self.name, permissions.ROLES_BY_PERMISSION)
        post_migrate.connect(audit.ensure_head, sender=self)
        receivers.connect()
        navigation.register()
        panels.register()
