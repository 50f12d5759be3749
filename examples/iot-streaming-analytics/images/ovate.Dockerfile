# Ovate in a small image. Built from the root of the repository:
#
#   docker build -f examples/iot-streaming-analytics/images/ovate.Dockerfile -t ovate .
#   docker run -p 127.0.0.1:8888:8888 -v ovate:/data -e OVATE_USER='alice=<hash>' ovate
#
# The hash comes from `docker run -i --rm ovate hash-password < password.txt`. The container listens on all its
# addresses; without a user Ovate refuses to, says so, and ends.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends cmake g++ make perl pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin ovate && strip -o /usr/local/bin/ovate target/release/ovate

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin ovate \
 && install -d -o ovate -g ovate /data
COPY --from=build /usr/local/bin/ovate /usr/local/bin/ovate
USER ovate
VOLUME /data
ENV OVATE_DATA=/data OVATE_LISTEN=0.0.0.0:8888
EXPOSE 8888
# The image has no curl; bash opens connections itself.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/8888 && printf 'GET /status/health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && grep -q true <&3"]
ENTRYPOINT ["ovate"]
CMD ["serve"]
