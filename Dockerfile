# Two stages: the second one has no caches and no build folder. No system packages are needed, since every wheel
# contains its libraries (OpenCV is the headless build). Docker, Buildah and Podman build it.

FROM python:3.13-slim-trixie AS build
# Where packages and models come from, for networks without PyPI and GitHub: `--build-arg PIP_INDEX_URL=...`.
ARG PIP_INDEX_URL
ARG MODEL_MIRROR_URL
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt /tmp/
COPY deploy/image /tmp/image
# Only what serving imports, and of that only what it opens. The rest prepares the model and stays in this stage.
RUN python /tmp/image/requirements.py /tmp/requirements.txt > /tmp/requirements-serving.txt \
    && python /tmp/image/requirements.py /tmp/requirements.txt --prepare > /tmp/requirements-preparing.txt \
    && pip install --quiet --no-deps --require-hashes --requirement /tmp/requirements-serving.txt \
    && pip install --quiet --no-deps --require-hashes --requirement /tmp/requirements-preparing.txt --target /opt/preparing \
    && python /tmp/image/slim.py /opt/venv/lib/python3.13/site-packages
WORKDIR /app
# The model comes before the rest of the code, so that most changes do not download it again.
COPY cli.py config.py paths.py ./
COPY commands commands
COPY services services
COPY settings settings
RUN python cli.py models fetch u2netp && PYTHONPATH=/opt/preparing python cli.py models prepare u2netp
COPY app.py gunicorn.conf.py run.py sweeper.py worker.py LICENSE ./
COPY bootstrap bootstrap
COPY routes routes
COPY migrations migrations
COPY web web
# Compile ahead of the start. Unchecked hashes, because a copy may change the time stamps of the sources.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app \
    && pip uninstall --quiet --yes pip

FROM python:3.13-slim-trixie
RUN groupadd --system --gid 10001 app \
    && useradd --system --uid 10001 --gid app --home-dir /tmp --no-create-home --shell /usr/sbin/nologin app \
    && install --directory --owner=app --group=app /data /data/uploads /data/outputs
# Only /data and /tmp are written to: the root file system may be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    UPLOAD_DIR=/data/uploads \
    OUTPUT_DIR=/data/outputs \
    DATABASE_URL=sqlite:////data/background-remover.db
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 5001
STOPSIGNAL SIGTERM
# http.client and not urllib, which would use a proxy from the environment. No --start-interval: only Docker knows it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 5001), timeout=4); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py"]
