//! Benchmarks of vpcd: see README.md.
