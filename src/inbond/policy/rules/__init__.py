"""The rules, one module each; `inbond.policy.engine.RULES` lists them, docs/rules.md explains them."""
