# Flink with the Kafka connector, and with the jobs.
FROM maven:3.9-eclipse-temurin-17 AS connector
RUN mvn -q -B dependency:copy -Dartifact=org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2 -DoutputDirectory=/jars

FROM flink:2.2.1-java17
COPY --from=connector /jars/ /opt/flink/lib/
COPY jobs /jobs
RUN install -d -o flink -g flink /state
