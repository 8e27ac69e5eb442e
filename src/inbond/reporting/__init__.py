"""What policies have done, would have done and would do: history and verdicts, added up for people. No I/O."""
