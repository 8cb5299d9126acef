"""The desired state: YAML files read with their line numbers, checked, and turned into `model.DesiredState`."""
