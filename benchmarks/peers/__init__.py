"""What a user would pick instead: each a file of its own, run by an environment of its own.

A peer's file says what it needs in the header that PEP 723 describes, and is run as ``peer.py FOLDER PORT``. FOLDER
holds ``features.json`` (each feature's name to ``number`` or ``category``), ``pipeline.joblib`` and, for those that
need it, ``float32.onnx``, which skl2onnx makes of it. It is asked as its own clients would ask it: the header names a
contract (``contracts.py``), and the path. Telemetry is off in all of them.

``engines`` holds what evaluates the same trees in process.
"""
