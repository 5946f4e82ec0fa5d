"""The embedded Authorization Center: API, store, policy, inbox and audit trail, on one machine.

It stands apart from the client: it shares only the nouns, the lifecycle and the wire with it.
``desk`` moves actions through the lifecycle (no HTTP, no SQL); ``api`` and ``inbox`` are its two counters.
"""
