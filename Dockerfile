# One image for web, workers and beat; compose.yaml says what each of them runs.
FROM node:22-bookworm-slim AS front-end
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm AS packages
WORKDIR /app
COPY requirements.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CUTLINE_VAR=/var/lib/cutline \
    STATIC_ROOT=/app/staticfiles
# What WeasyPrint draws documents with.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --user-group --no-create-home --shell /usr/sbin/nologin cutline \
    && install --directory --owner cutline --group cutline --mode 0700 /var/lib/cutline
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY --from=front-end /app/node_modules node_modules
COPY manage.py ./
COPY segmentation_site segmentation_site
COPY frameworks frameworks
COPY accounts accounts
COPY governance governance
COPY templates templates
# Collected with production's settings; none of these values is in what is collected.
RUN CUTLINE_PROFILE=production SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    ALLOWED_HOSTS=build.invalid SITE_URL=https://build.invalid DATABASE_URL=postgres:///build REDIS_URL=redis://build \
    CUTLINE_VAR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /tmp/build
USER cutline
VOLUME /var/lib/cutline
EXPOSE 8000
CMD ["gunicorn", "segmentation_site.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", \
     "--threads", "4", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"]
