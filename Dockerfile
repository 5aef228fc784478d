# Two stages: the second one has no caches and no build folder. No system packages are needed, since every wheel
# contains its libraries (OpenCV is the headless build).

FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.txt /tmp/
RUN pip install --quiet --require-hashes --requirement /tmp/requirements.txt
WORKDIR /app
# The model comes before the rest of the code, so that most changes do not download it again.
COPY cli.py config.py paths.py setting_names.py ./
COPY commands commands
COPY services services
RUN python cli.py models fetch u2netp && python cli.py models prepare u2netp
COPY app.py gunicorn.conf.py bootstrap.py run.py sweeper.py worker.py LICENSE ./
COPY routes routes
COPY migrations migrations
COPY web web
# Compile ahead of the start. Unchecked hashes, because a copy may change the time stamps of the sources.
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

FROM python:3.13-slim-bookworm
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
# http.client and not urllib, which would use a proxy from the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 5001), timeout=4); c.request('GET', '/health/ready'); sys.exit(c.getresponse().status != 200)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py"]
