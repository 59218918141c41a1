"""The demo's own data: a real file of real companies, and what is generated beside it (SOURCES.md)."""

from pathlib import Path

PANEL = Path(__file__).with_name("fortune1000_2019_2021_panel.csv")
PANEL_MAPPING = Path(__file__).with_name("fortune1000.yaml")
