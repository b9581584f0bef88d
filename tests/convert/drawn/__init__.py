"""Random tables and random pipelines over them, as Hypothesis strategies."""
