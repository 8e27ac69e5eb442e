"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A loaded machine is slow, not wrong: how long an example takes says nothing about what it shows.
settings.register_profile("inbond", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("inbond")
