"""File + Evidence + memory + clock -> Verdict. Pure: one module a rule, no rule knows another."""
