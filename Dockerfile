# syntax=docker/dockerfile:1
# Cuello as a service, on a CPU, installed from its wheel:
#
#     docker build -t cuello .
#     docker run --rm --read-only --shm-size 1g --network none cuello --help
#     docker run --rm --read-only --shm-size 1g -p 127.0.0.1:8000:8000 -e CUELLO_TOKEN cuello serve denoise --host 0.0.0.0
#     docker run … -v "$PWD/runs:/models:ro" cuello serve /models/first --host 0.0.0.0
#
# Nothing is loaded from a network once it is built; images pass through /dev/shm, and nothing else is written.

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml hatch_build.py constraints.txt README.md LICENSE NOTICE ./
COPY src src
# uv knows where the builds of torch for CPUs are; what pip takes by itself on Linux is one for GPUs, several gigabytes.
RUN python -m pip install --no-cache-dir "uv>=0.8,<1" \
 && uv venv /opt/cuello \
 && uv build --wheel --out-dir /wheels . \
 && uv pip install --no-cache --python /opt/cuello --torch-backend cpu -c constraints.txt "$(echo /wheels/cuello-*.whl)[serve]" \
 && /opt/cuello/bin/python -m compileall -q /opt/cuello/lib

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Cuello" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Small image networks as a service"
RUN groupadd --gid 10001 cuello \
 && useradd --uid 10001 --gid cuello --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cuello
COPY --from=build /opt/cuello /opt/cuello
ENV PATH=/opt/cuello/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUELLO_CACHE=/dev/shm/cuello-cache \
    MPLCONFIGDIR=/dev/shm/matplotlib \
    HF_HUB_OFFLINE=1
WORKDIR /models
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cuello"]
CMD ["serve", "denoise", "--host", "0.0.0.0"]
