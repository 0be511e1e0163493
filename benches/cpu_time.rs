//! A clock for criterion that stands still while others have the processor.

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds the thread has spent on a processor.
pub(crate) struct CpuTime(WallTime);

impl Default for CpuTime {
    fn default() -> Self {
        Self(WallTime)
    }
}

/// Nanoseconds so far.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl Measurement for CpuTime {
    type Intermediate = u64;
    type Value = std::time::Duration;

    fn start(&self) -> u64 {
        now()
    }
    fn end(&self, start: u64) -> Self::Value {
        std::time::Duration::from_nanos(now() - start)
    }
    fn add(&self, one: &Self::Value, other: &Self::Value) -> Self::Value {
        *one + *other
    }
    fn zero(&self) -> Self::Value {
        std::time::Duration::ZERO
    }
    fn to_f64(&self, value: &Self::Value) -> f64 {
        value.as_nanos() as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}
