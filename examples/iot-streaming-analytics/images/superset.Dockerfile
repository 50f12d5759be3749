# Superset with the connector beside it, and with Ovate's own dashboard. Built from the root of the repository.
FROM apache/superset:6.1.0
USER root
COPY superset_connector /connector
RUN . /app/.venv/bin/activate \
 && uv pip install --no-cache '/connector[superset]' \
 && python /connector/dashboard/zip.py /ovate-dashboard.zip --database ovate://druid_system:password2@ovate:8888/
COPY tests/components/superset_config.py /app/pythonpath/
COPY --chmod=755 examples/iot-streaming-analytics/images/superset-init.sh /
RUN install -d -o superset -g superset /superset
USER superset
ENV SUPERSET_HOME=/superset
VOLUME /superset
