"""The listening socket, attacked: a server process on loopback, its memory, and a client that must not notice."""
