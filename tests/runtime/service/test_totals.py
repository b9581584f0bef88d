"""Metrics of several processes as one, whatever bounds their histograms have."""

from hypothesis import given
from hypothesis import strategies as st

from runtime.service.totals import Family, Totals

Counts = dict[str, float]


def family(counts: Counts, *, model: str = "m") -> Family:
    """A histogram of so many values up to each bound; the last is the infinite one's."""
    samples = [("h_bucket", [("model", model), ("le", bound)], count) for bound, count in counts.items()]
    return Family("h", "", "histogram", [*samples, ("h_count", [("model", model)], counts["+Inf"])])


def collected(*said: list[Family], gone: int = 0) -> dict[tuple[str, str], Counts]:
    """(name, model) -> the sums by bound; the first ``gone`` of the processes have ended."""
    totals = Totals()
    for process, families in enumerate(said):
        totals.note(process, families)
    for process in range(gone):
        totals.end(process)
    found: dict[tuple[str, str], Counts] = {}
    for metric in totals.collect():
        for sample in metric.samples:
            found.setdefault((sample.name, sample.labels["model"]), {})[sample.labels.get("le", "")] = sample.value
    return found


def test_histograms_of_the_same_bounds_are_added() -> None:
    one, two = {"0.1": 1.0, "1.0": 3.0, "+Inf": 4.0}, {"0.1": 2.0, "1.0": 2.0, "+Inf": 2.0}
    for gone in (0, 1, 2):
        assert collected([family(one)], [family(two)], gone=gone) == {
            ("h_bucket", "m"): {"0.1": 3.0, "1.0": 5.0, "+Inf": 6.0},
            ("h_count", "m"): {"": 6.0},
        }


def test_a_bound_that_one_lacks_counts_what_was_surely_below() -> None:
    one, two = {"0.1": 1.0, "1.0": 3.0, "+Inf": 4.0}, {"0.05": 1.0, "0.5": 2.0, "1.0": 5.0, "+Inf": 5.0}
    found = collected([family(one), family({"1.0": 7.0, "+Inf": 7.0}, model="n")], [family(two)], gone=1)
    assert found["h_bucket", "m"] == {"0.05": 1.0, "0.1": 2.0, "0.5": 3.0, "1.0": 8.0, "+Inf": 9.0}
    assert found["h_bucket", "n"] == {"1.0": 7.0, "+Inf": 7.0}
    assert found["h_count", "m"] == {"": 9.0}


times = st.lists(st.floats(0.001, 10), max_size=30)
bounds = st.sets(st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]), min_size=1)


@given(st.lists(st.tuples(times, bounds), min_size=1, max_size=4), st.integers(0, 4))
def test_sums_never_say_that_a_request_was_faster_than_it_was(
    said: list[tuple[list[float], set[float]]], gone: int
) -> None:
    """And they rise from bound to bound."""
    families = []
    for values, limits in said:
        counts = {f"{limit}": float(sum(value <= limit for value in values)) for limit in sorted(limits)}
        families.append([family({**counts, "+Inf": float(len(values))})])
    found = collected(*families, gone=min(gone, len(said)))["h_bucket", "m"]
    everything = [value for values, _ in said for value in values]
    ordered = sorted(found, key=float)
    assert [found[bound] for bound in ordered] == sorted(found.values())
    for bound in ordered:
        assert found[bound] <= sum(value <= float(bound) for value in everything)
    assert found["+Inf"] == len(everything)
