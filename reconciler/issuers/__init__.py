"""Who signs a certificate: one file for each type of issuer."""
