"""Engines that evaluate the same trees in process: each a file of its own, all in one environment.

An engine's file says in its header what it needs and whose models it takes; ``make(folder)`` reads
``estimator.joblib``, the last step of a pipeline, and gives what answers rows as that step takes them. ``worker.py``
measures it, a process of its own, block by block in turn with ours.
"""
