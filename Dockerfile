# One image for every role: `mintmark core`, `gateway`, `dispatcher`, `sandbox`, `serve`, and the command itself.
# tests/house/test_image.py runs the COPY and RUN lines below on a plain machine.

FROM python:3.11.14-slim-trixie AS build
WORKDIR /build
RUN python -m venv --without-pip /build/tools
COPY requirements-build.lock ./
RUN python -m pip --python /build/tools/bin/python install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY server server
COPY adapters adapters
COPY mintmark_client mintmark_client
COPY generated generated
RUN /build/tools/bin/python -m hatchling build -t wheel

FROM python:3.11.14-slim-trixie AS install
WORKDIR /install
RUN python -m venv --without-pip /opt/mintmark
COPY requirements.lock ./
RUN python -m pip --python /opt/mintmark/bin/python install --no-cache-dir --require-hashes -r requirements.lock
COPY --from=build /build/dist dist
RUN python -m pip --python /opt/mintmark/bin/python install --no-cache-dir --no-index --no-deps dist/*.whl

FROM python:3.11.14-slim-trixie
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/mintmark /var/lib/mintmark-keys
COPY --from=install /opt/mintmark /opt/mintmark
ENV PATH=/opt/mintmark/bin:$PATH MINTMARK_DATA_DIR=/var/lib/mintmark PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/mintmark
VOLUME /var/lib/mintmark
USER 10001:10001
EXPOSE 8080 50051 9090
ENTRYPOINT ["mintmark"]
CMD ["--help"]
