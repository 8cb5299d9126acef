"""The desired state: YAML files read with their line numbers, checked, and turned into `model.DesiredState`."""

from __future__ import annotations

from reconciler.desired.durations import duration as parse_duration
from reconciler.desired.fleet import load_fleet, load_states
from reconciler.desired.loading import load, resolve

__all__ = ["load", "load_fleet", "load_states", "parse_duration", "resolve"]
