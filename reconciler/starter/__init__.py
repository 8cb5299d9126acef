"""The files of a starter repository, as `reconcile init` writes them."""
