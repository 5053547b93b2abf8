"""Requirements for the load collector."""

import pytest

from vstats_collectors.load import LoadCollector


def test_the_three_averages_are_the_kernels(valid):
    collector = LoadCollector(read=lambda: (0.5244140625, 1.25, 16.0))

    section = valid(collector.vstats_collect())

    assert section == {"load_average": {"one": 0.52, "five": 1.25, "fifteen": 16.0}}


@pytest.mark.parametrize("error", [AttributeError, OSError], ids=["no such call", "no answer"])
def test_a_platform_without_load_averages_reports_zeros(error, valid):
    def read():
        raise error

    section = valid(LoadCollector(read=read).vstats_collect())

    assert section == {"load_average": {"one": 0.0, "five": 0.0, "fifteen": 0.0}}
