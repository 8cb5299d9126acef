"""Keystores from git: compare the desired state in YAML with a live keystore, plan, apply, report."""

__version__ = "0.1.0"
