"""The policy: who may do what, who must agree, and why, in one file that a person can read."""

from clearance.center.policy.asked import Asked
from clearance.center.policy.document import PolicyError
from clearance.center.policy.engine import Policy, PolicyEngine, Verdict
from clearance.center.policy.reading import built_in, load, parse
from clearance.center.policy.rules import Effect, Rule

__all__ = ["Asked", "Effect", "Policy", "PolicyEngine", "PolicyError", "Rule", "Verdict", "built_in", "load", "parse"]
