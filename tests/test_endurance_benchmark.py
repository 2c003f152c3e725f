from __future__ import annotations

import sys

import pytest

from benchmarks.endurance import Sample, Watch, figures, hour_figures, opened, run, run_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_search_is_sampled_and_its_journal_opens(tmp_path):
    watch = run(12, seconds=120, out=tmp_path)
    first, last = watch.samples[0], watch.samples[-1]
    assert (first.trials, last.trials) == (0, 12)
    assert last.journal > 0
    assert last.handles < first.handles + 40
    assert opened(tmp_path, repeats=1)[0] == 12


def test_growth_counts_from_a_quarter_of_the_samples(tmp_path):
    watch = Watch(tmp_path)
    watch.samples = [Sample(n * 1000, n, 400 + 2 * n + (n == 0) * 99, 4, 3, n) for n in range(9)]
    found = figures(watch, 8_000, 1.25)
    assert (
        "Beyond 2,000 trials, memory grows by 2.0 MB for every 1,000 trials." in found["text"][0]
    )
    assert "opens in 1.25 s" in found["text"][0]
    assert found["tables"][0]["rows"][0] == [0, 0, 499, 4, 3, 0]


@pytest.mark.slow
def test_a_search_is_interrupted_after_its_time_and_sampled_until_then(tmp_path):
    samples = run_for(30, out=tmp_path).samples
    assert len(samples) >= 5
    assert samples[0].trials == 0 < samples[-1].trials
    assert 30 <= samples[-1].seconds < 90


def test_the_hour_names_its_length_and_growth(tmp_path):
    watch = Watch(tmp_path)
    watch.samples = [
        Sample(100 * n, 360 * n, 400 + 2 * n + 99 * (n > 5), 4, 3, n) for n in range(11)
    ]
    (text,) = hour_figures(watch)["text"]
    assert "interrupted after 3,600 s" in text
    assert "Beyond 700 trials, memory grows by 20.0 MB for every 1,000 trials." in text
