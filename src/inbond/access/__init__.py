"""Who asks, and what they may: tokens, principals, roles and the rules of access; pure."""
