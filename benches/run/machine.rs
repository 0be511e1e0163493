//! The machine: what it is, and what it has been busy with.

use std::fs;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Seconds the calling thread has spent on a processor.
pub(crate) fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Seconds a process has spent on processors, all threads together; 0 when it is gone.
pub(crate) fn process_time(id: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| schedule_time(&thread.path().join("schedstat").to_string_lossy())).sum()
}

/// Seconds the kernel's own threads for network work have spent on processors.
pub(crate) fn softirq_threads_time() -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_one =
        |path: &std::path::Path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("ksoftirqd"));
    let ours = processes.map(|entry| entry.path()).filter(|path| is_one(path));
    ours.filter_map(|path| schedule_time(&path.join("schedstat").to_string_lossy())).sum()
}

fn schedule_time(path: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    text.split_whitespace().next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds / 1e9)
}

/// Seconds all processors together have been busy since start, whoever with.
pub(crate) fn busy_time() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are in user already, and steal is not our doing.
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&n| fields.get(n)).sum::<f64>();
    busy / TICKS_PER_SECOND
}

/// The 1, 5 and 15 minute loads.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// What a reader needs to know of where numbers come from.
pub(crate) fn describe() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let commit = crate::shell::run("git describe --always --dirty --abbrev=12").unwrap_or_default();
    json!({
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "cpu": model.trim_start_matches([' ', '\t', ':']),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "commit": commit.trim(),
    })
}
