# reconcile in a small image that runs as nobody in particular:
#   docker build --tag reconcile .
#   docker run --rm --user "$(id -u)" --volume "$PWD:/repository" --env KEYSTORE_PASSWORD reconcile plan keystore.yaml
# A tag can be moved: pin the base by its digest (python:3.13-slim@sha256:…) where your builds must be repeatable.
FROM python:3.13-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/run.txt requirements/build.txt /source/requirements/
# Every package is held to its hash and is a wheel, so no compiler is needed.
RUN python -m venv /opt/reconcile \
    && /opt/reconcile/bin/python -m pip install --no-deps --require-hashes -r /source/requirements/run.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --no-deps --require-hashes -r /source/requirements/build.txt
COPY pyproject.toml README.md LICENSE /source/
COPY schemas /source/schemas
COPY reconciler /source/reconciler
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheel /source \
    && /opt/reconcile/bin/python -m pip install --no-deps /wheel/*.whl \
    && /opt/reconcile/bin/python -m pip uninstall --yes pip

FROM python:3.13-slim

COPY --from=build /opt/reconcile /opt/reconcile
ENV PATH=/opt/reconcile/bin:$PATH PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home reconcile && /opt/reconcile/bin/reconcile --version
USER 10001
WORKDIR /repository
ENTRYPOINT ["reconcile"]
CMD ["--help"]
