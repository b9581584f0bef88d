"""Preparations of dates and times, and of strings that are read as such."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

__all__ = ["of_dates"]


def read(X: pd.DataFrame) -> list[Any]:
    """The columns as times."""
    return [pd.to_datetime(X.iloc[:, place]) for place in range(X.shape[1])]


def beside(*columns: Any) -> pd.DataFrame:
    """As float64: an imputer that was fitted on gaps takes no integers, which a batch without gaps would be."""
    return pd.DataFrame(dict(enumerate(columns))).astype("float64")


def clock(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(part for time in read(X) for part in (time.dt.hour, time.dt.minute, time.dt.second)))


def calendar(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(part for time in read(X) for part in (time.dt.year, time.dt.month, time.dt.day, time.dt.quarter)))


def seasons(X: pd.DataFrame) -> pd.DataFrame:
    angles = [time.dt.dayofyear * (2 * np.pi / 365.25) for time in read(X)]
    return beside(*(part for angle in angles for part in (np.sin(angle), np.cos(angle))))


def weekends(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(time.dt.dayofweek >= 5 for time in read(X)))


def weeks(X: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([time.dt.isocalendar() for time in read(X)], axis=1).astype("float64")


def ends(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(part for time in read(X) for part in (time.dt.is_month_end, time.dt.is_year_start, time.isna())))


def days_since(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*((_since(time)).dt.days for time in read(X)))


def hours_since(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(_since(time) / pd.Timedelta(hours=1) for time in read(X)))


def seconds_since(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(_since(time).dt.total_seconds() for time in read(X)))


def _since(time: Any) -> Any:
    """From a date that is one of both kinds."""
    plain = time.dt.tz_localize(None)
    return plain - pd.Timestamp("2000-01-01 12:00")


def later(X: pd.DataFrame) -> pd.DataFrame:
    return beside(*(time > "2001-02-03" for time in read(X)))


def since_midnight(X: pd.DataFrame) -> pd.DataFrame:
    plain = [time.dt.tz_localize(None) for time in read(X)]
    return beside(*((time - time.dt.normalize()).dt.total_seconds() for time in plain))


def of_a_zone(X: pd.DataFrame) -> pd.DataFrame:
    return beside(
        *(time.dt.tz_localize(None).dt.tz_localize("UTC").dt.tz_convert("+05:30").dt.hour for time in read(X))
    )


FUNCTIONS: tuple[Callable[..., Any], ...] = (
    clock,
    calendar,
    seasons,
    weekends,
    weeks,
    ends,
    days_since,
    hours_since,
    seconds_since,
    later,
    since_midnight,
    of_a_zone,
)


def _numbers() -> st.SearchStrategy[Any]:
    """Of what scikit-learn makes of dates itself: counts of their unit."""
    return st.one_of(
        st.builds(StandardScaler),
        st.builds(MinMaxScaler, clip=st.booleans()),
        st.builds(KBinsDiscretizer, n_bins=st.just(3), quantile_method=st.just("averaged_inverted_cdf")),
        st.builds(QuantileTransformer, n_quantiles=st.just(5), random_state=st.just(0)),
        st.just("passthrough"),
    )


def _encoders(supervised: bool) -> st.SearchStrategy[Any]:
    one_hot = st.builds(OneHotEncoder, handle_unknown=st.sampled_from(["error", "ignore", "infrequent_if_exist"]))
    ordinal = st.builds(OrdinalEncoder) | st.builds(
        OrdinalEncoder, handle_unknown=st.just("use_encoded_value"), unknown_value=st.just(-1)
    )
    target = st.builds(TargetEncoder, cv=st.just(2), random_state=st.just(0))
    return st.one_of(one_hot, ordinal, target) if supervised else one_hot | ordinal


@st.composite
def of_dates(draw: st.DrawFn, strings: bool, supervised: bool) -> Any:
    """Parts of dates with an imputer, perhaps a scaler; of others than strings also an encoder, or what numbers are
    made of."""
    if not strings and draw(st.integers(0, 2)) == 0:
        return draw(_numbers() | _encoders(supervised))
    steps = [FunctionTransformer(draw(st.sampled_from(FUNCTIONS)))]
    steps.append(draw(st.builds(SimpleImputer, strategy=st.sampled_from(["mean", "most_frequent", "constant"]))))
    steps += draw(st.lists(st.builds(StandardScaler) | st.builds(MinMaxScaler), max_size=1))
    return Pipeline([(f"d{index}", step) for index, step in enumerate(steps)])
