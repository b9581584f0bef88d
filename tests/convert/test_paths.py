"""Rows come to the nodes that they are said to come to, and a sample of nodes has some of every tree."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from convert import paths, probes
from convert.build import assemble
from convert.lower import layout
from convert.paths import Visits, chosen, walked
from convert.signature import sign
from tests.convert.lower.samples import GAPS, THREE, X
from tests.convert.lower.twins import CREATED, model_of, twin_of

FOREST = RandomForestClassifier(12, random_state=0)
FOLDED = make_pipeline(SimpleImputer(), StandardScaler(), FOREST)
IN_PART = make_pipeline(
    SimpleImputer(), ColumnTransformer([("own", StandardScaler(), [0, 1]), ("mixed", PCA(2), [2, 3, 4])]), FOREST
)


def visits_of(pipeline: Any, sample: Any) -> Visits:
    """Those of its own sample."""
    signature = sign(pipeline, sample)
    twin = twin_of(pipeline, sample)
    return walked(signature, model_of(twin).tensors, twin.scope, 0)


@pytest.mark.parametrize("turned", [10**9, 1])
@pytest.mark.parametrize("pipeline", [FOLDED, IN_PART], ids=["folded", "in part"])
def test_a_row_comes_to_the_node_that_asks_its_threshold(
    pipeline: Any, turned: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it ends elsewhere in that tree on the threshold and just above it; computed columns beside or not."""
    monkeypatch.setattr(layout, "TURNED", turned)
    monkeypatch.setattr(layout, "GROUP", 200)
    pipeline.fit(GAPS, THREE)
    visits = visits_of(pipeline, GAPS)
    assert set(visits.tree) == set(range(12))
    lower, upper = GAPS[visits.row], GAPS[visits.row]
    places = np.arange(len(visits.row))
    # A threshold turned around is the number above: on either side of it one has crossed.
    lower[places, visits.column] = np.nextafter(visits.split, -np.inf)
    upper[places, visits.column] = np.nextafter(visits.split, np.inf)
    trees = FOREST.estimators_
    before, after = (pipeline[:-1].transform(rows).astype(np.float32) for rows in (lower, upper))
    differ = [trees[t].apply(before[[i]]) != trees[t].apply(after[[i]]) for i, t in enumerate(visits.tree.tolist())]
    assert all(differ)


def test_a_sample_of_nodes_has_some_of_every_tree() -> None:
    """However uneven the trees are."""
    tree = np.repeat([0, 1, 2], [1000, 10, 1])
    visits = Visits(tree, np.zeros(1011, np.int64), np.arange(1011.0), np.zeros(1011, np.int64))
    few, candidates = chosen(visits, 30, 0)
    assert candidates == 1011
    assert np.bincount(few.tree).tolist() == [19, 10, 1]
    all_of_them, _ = chosen(visits, 2000, 0)
    assert len(all_of_them.tree) == 1011


def test_the_same_threshold_twice_is_probed_once_but_for_a_tree_that_has_no_other() -> None:
    """Each tree is represented."""
    visits = Visits(np.array([0, 0, 1]), np.zeros(3, np.int64), np.array([1.0, 1.0, 1.0]), np.zeros(3, np.int64))
    few, candidates = chosen(visits, 10, 0)
    assert candidates == 2
    assert sorted(few.tree) == [0, 1]


def test_the_proof_says_how_many_nodes_were_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there were too many of them; else there is nothing to say."""
    forest = RandomForestClassifier(12, random_state=0).fit(X, THREE)
    whole = assemble(forest, X, version="test", created=CREATED).proof
    assert whole.sampled_nodes is None
    assert "trees: probed" not in str(whole)
    monkeypatch.setattr(probes, "WALKS", 12 * 90)
    proof = assemble(forest, X, version="test", created=CREATED).proof
    assert proof.sampled_nodes is not None
    probed, candidates = proof.sampled_nodes
    assert probed == 30 < candidates
    assert f"trees: probed on the thresholds of 30 of {candidates:,} nodes, some of every tree" in str(proof)
    assert proof.probes["nodes"] <= 90


def test_a_large_forests_trees_are_walked_by_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at least; each tree by others."""
    forest = RandomForestClassifier(12, random_state=0).fit(X, THREE)
    monkeypatch.setattr(paths, "WALKS", 12 * 5)
    visits = visits_of(forest, X)
    rows = [set(visits.row[visits.tree == tree]) for tree in range(12)]
    assert all(1 <= len(found) <= 5 for found in rows)
    assert len(set.union(*rows)) > 5


def test_a_forest_s_proof_says_how_far_it_is() -> None:
    """What takes minutes with a large forest is said step by step: a spinner shows the last one."""
    lines: list[str] = []
    assemble(FOREST.fit(GAPS, THREE), GAPS, version="v", created=CREATED, report=lines.append)
    assert [line.split(":")[0] for line in lines[:5]] == ["signature", "graph", "walked", "loaded", "probes"]
    assert lines[3] == "loaded: 12 trees by the runtime"
