"""What `manage.py bench` measures, and the hand-written SQL it is measured against."""
