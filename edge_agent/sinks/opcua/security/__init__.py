"""Who gets in.

policies        the security policies, and what asyncua is told of them
users           log-ins: `credentials` (on disk), `passwords` (hashes), `attempts` (delays, locks), `names`
certificate     the endpoint's own; `addresses` are the names in it
trust           the clients' certificates: `trust_folder` (files), `client_certificate` (the single checks)
"""
