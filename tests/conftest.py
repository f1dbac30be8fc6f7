"""Fixtures that several folders use."""

import pytest

from rectransfer.logs import PlantedConfig, PlantedDomains, plant


@pytest.fixture(scope="session")
def planted() -> PlantedDomains:
    """Two small domains with known rules; the logs are frozen, so that one draw serves all tests."""
    return plant(PlantedConfig(seed=1))
