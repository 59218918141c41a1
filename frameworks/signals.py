"""News that travels upwards. Sent from services, inside the transaction that made it true.

- `governed_action(sender, act)`: a governed act happened (frameworks.governed.Act);
  the audit chain writes it down.
- `version_activated(sender, version, actor, at)`: the framework's pointer moved.
"""

from django.dispatch import Signal

governed_action = Signal()
version_activated = Signal()
