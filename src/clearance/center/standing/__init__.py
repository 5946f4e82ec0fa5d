"""Standing approvals: what somebody allows again in advance, so often, until then, and to one agent with one tool."""
