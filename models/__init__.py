"""The pipelines that pipetwin shows itself on: a folder each, with its ``train.py`` and the bundles made of it."""
