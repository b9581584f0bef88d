"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# How long examples take, to draw or to run, says nothing of what is tested, on a machine that others use too.
settings.register_profile(
    "shared",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared")
