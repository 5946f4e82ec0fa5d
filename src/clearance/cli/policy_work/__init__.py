"""The commands with which an owner works on a policy file."""
