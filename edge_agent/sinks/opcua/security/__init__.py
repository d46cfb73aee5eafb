"""Who gets in.

policies        the security policies, and what asyncua is told of them
users           log-ins: `credentials` (on disk), `names`; hashes, delays and locks are on the ground floor
certificate     the endpoint's own; `addresses` are the names in it
trust           the clients' certificates: `trust_folder` (files), `client_certificate` (the single checks)
"""
