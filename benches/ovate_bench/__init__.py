"""The benchmarks of Ovate: data, servers, queries with reference answers, measurements, report."""
