# The runtime and one folder of models. No scikit-learn, no compiler, no pip; 10001 is nobody.
#
#   make image                                          every model below build/models
#   docker build --build-arg MODELS=path/to/models .    another folder of models, below this one (see .dockerignore)
#   docker run -p 8000:8000 IMAGE                       or with an argument, as platforms that say `serve` do

# Any image of CPython 3.11 to 3.14 with venv; `make image-check` gives one made from Debian's packages.
ARG BASE=python:3.13-slim

FROM ${BASE} AS packages
WORKDIR /build
COPY requirements-serve.txt ./
# Beside pip, not with it: /venv gets only what the lock names. A folder of wheels may stand in for the index
# (a pip.conf says so); nothing is compiled.
RUN python3 -m venv /build/pip && python3 -m venv --without-pip /venv \
 && /build/pip/bin/pip --python /venv/bin/python install --quiet --no-cache-dir --no-compile --disable-pip-version-check \
      --only-binary=:all: --require-hashes --requirement requirements-serve.txt
# What serving never imports: Litestar's command line, its examples and its test client; onnxruntime's shared library
# for other languages (Python has its own) and its tools for neural networks; tests and headers.
RUN /build/pip/bin/pip --python /venv/bin/python uninstall --quiet --yes \
      faker polyfactory rich-click rich pygments markdown-it-py mdurl httpx httpcore certifi protobuf flatbuffers \
 && cd /venv/lib/python3*/site-packages \
 && rm -rf onnxruntime/capi/libonnxruntime.so* onnxruntime/transformers onnxruntime/quantization onnxruntime/tools \
      onnxruntime/datasets numpy/_core/include numpy/f2py numpy/_core/lib \
 && find . -type d -name tests -prune -exec rm -rf {} + \
 && find . -name '*.pyi' -delete
COPY LICENSE /app/
COPY runtime /app/runtime
# Compiled here, since the last stage can be read only; by hash, so that the same files give the same image.
RUN find /app /venv/lib -name __pycache__ -type d -prune -exec rm -rf {} + \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /venv/lib /app/runtime

FROM ${BASE}
ARG MODELS=build/models
# Python's own images bring pip along; Debian's Python has none.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip
LABEL org.opencontainers.image.title="pipetwin" \
      org.opencontainers.image.description="scikit-learn pipelines served as their exact ONNX twins" \
      org.opencontainers.image.licenses="Apache-2.0" \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port="true"
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    PIPETWIN_MODELS=/models \
    PIPETWIN_HOST=0.0.0.0 \
    PIPETWIN_PORT=8000
WORKDIR /app
COPY --from=packages /venv /venv
COPY --from=packages /app /app
COPY ${MODELS} /models
USER 10001:10001
EXPOSE 8000
# The port is the one that the server was told as an argument, if it was.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
  "import os, re, urllib.request as r; \
  said = re.search('--(?:http_)?port[=\\0]([0-9]+)', open('/proc/1/cmdline').read()); \
  r.urlopen(f\"http://127.0.0.1:{said[1] if said else os.environ['PIPETWIN_PORT']}/health/ready\", timeout=3)"]
ENTRYPOINT ["python", "-m", "runtime"]
