# The platform's one image: web, worker, beat and the commands of manage.py.

FROM python:3.13-slim-trixie AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements-uv.lock requirements.lock ./
RUN pip install --require-hashes -r requirements-uv.lock \
 && python -m venv /packages \
 && uv pip sync --no-cache --python /packages/bin/python --require-hashes requirements.lock

FROM python:3.13-slim-trixie
# pg_dump and pg_restore of the server's version, for `manage.py backup` and `restore`.
COPY --from=postgres:18-trixie /usr/lib/postgresql/18/bin/pg_dump /usr/lib/postgresql/18/bin/pg_restore /usr/local/bin/
COPY --from=postgres:18-trixie /usr/lib/*/libpq.so.5* /usr/local/lib/
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libpq5 liblz4-1 libzstd1 \
 && rm -rf /var/lib/apt/lists/* \
 && ldconfig \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin koogallery \
 && install -d -o koogallery /data
COPY --from=packages /packages /packages
WORKDIR /app
COPY . .
ENV PATH=/packages/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DATA=/data STATIC_ROOT=/app/staticfiles
# Translations and static files are part of the image; the build needs no secret for them.
RUN DJANGO_SETTINGS_MODULE=koogallery.settings.local DATA=/tmp/build python manage.py prepare --files-only \
 && rm -rf /tmp/build
ENV DJANGO_SETTINGS_MODULE=koogallery.settings.production
USER koogallery
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["granian", "koogallery.wsgi:application", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
     "--workers", "2", "--blocking-threads", "2", "--blocking-threads-idle-timeout", "600", \
     "--respawn-failed-workers", "--workers-kill-timeout", "5", "--no-ws"]
