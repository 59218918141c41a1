"""News from accounts to the apps above. Sent from services, inside the transaction that made it true.

- `transitions_recorded(sender, run, low, high, account_ids, count)`: transitions were appended; of a key range
  of a run, or of the named accounts when `run` is None.
- `run_evaluated(sender, run)`: pass 1 of an activation's run is complete; who activates decides what follows.
- `run_finished(sender, run)`: the last chunk was applied.
- `override_ended(sender, override)`: it expired, was revoked, lapsed or became moot.
"""

from django.dispatch import Signal

transitions_recorded = Signal()
run_evaluated = Signal()
run_finished = Signal()
override_ended = Signal()
