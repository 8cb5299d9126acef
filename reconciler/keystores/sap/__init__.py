"""A tenant of SAP Cloud Integration: the API of its keystore as typed requests, over HTTPS.

Nothing outside this package imports it before a tenant is the target: the HTTP client alone costs what all of
`reconcile list` on a file does.
"""
