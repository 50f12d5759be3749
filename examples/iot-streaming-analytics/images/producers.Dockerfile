# The producers. Built from the root of the repository, for the sake of the devices.
FROM python:3.12-slim-bookworm
COPY examples/iot-streaming-analytics/producers /producers
RUN pip install --no-cache-dir -r /producers/requirements.txt
COPY tests/data/devices_zurich.json /devices.json
USER nobody
ENTRYPOINT ["python", "/producers/produce.py"]
