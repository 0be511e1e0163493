//! Results as JSON, as a table, as charts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use plotters::prelude::*;
use serde_json::{Value, json};
use vpc_benches::statistics::{Interval, bootstrap};

use crate::Result;
use crate::lab::Contender;

/// A series of measurements, one per round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) metric: String,
    pub(crate) contender: Contender,
}

/// Everything that was measured.
pub(crate) struct Results {
    pub(crate) about: Value,
    pub(crate) samples: BTreeMap<Key, Vec<f64>>,
    pub(crate) failures: Vec<String>,
}

/// How two contenders are compared.
#[derive(Clone, Copy)]
enum Compared {
    /// Ours by theirs: more is better.
    Ratio,
    /// Theirs by ours, of a cost: more is better.
    Inverse,
    /// Ours less theirs: less is better.
    Difference,
    /// Ours, whatever theirs is: less is better.
    Alone,
}

/// A promise: vpcd's `metric` against a contender's.
struct Target {
    metric: &'static str,
    against: Contender,
    compared: Compared,
    least: f64,
    aim: f64,
}

/// What issue "line rate" asks for. CPU time per packet is that of everybody who has a part in it.
const TARGETS: &[Target] = {
    use Compared::{Alone, Difference, Inverse, Ratio};
    use Contender::{K, Kn, P, Vpcd};
    const fn target(metric: &'static str, against: Contender, compared: Compared, least: f64, aim: f64) -> Target {
        Target { metric, against, compared, least, aim }
    }
    &[
        target("tcp x1 there Gbit/s", P, Ratio, 0.95, 0.98),
        target("tcp x1 there Gbit/s", K, Ratio, 0.55, 0.62),
        target("tcp x1 there Gbit/s", Kn, Ratio, 0.60, 0.70),
        target("udp 64 x1 ns/packet", K, Inverse, 1.10, 1.30),
        target("udp 64 x4096 ns/packet", K, Inverse, 0.85, 0.90),
        target("udp 64 x4096 ns/packet", Kn, Inverse, 1.0, 1.2),
        target("udp 1400 x1 ns/packet", K, Inverse, 1.05, 1.20),
        target("connections/s", K, Ratio, 0.78, 0.85),
        target("connections/s", Kn, Ratio, 0.95, 1.05),
        target("rtt idle p50 us", K, Difference, 15.0, 8.0),
        target("udp 64 x1 at 80 % lost", Vpcd, Alone, 0.0, 0.0),
        target("udp 64 x1 at 80 % reordered", Vpcd, Alone, 0.0, 0.0),
        target("idle, 100 interfaces, % of a CPU", Vpcd, Alone, 0.5, 0.1),
    ]
};

impl Results {
    fn series(&self, metric: &str, contender: Contender) -> &[f64] {
        self.samples.get(&Key { metric: metric.to_owned(), contender }).map_or(&[], Vec::as_slice)
    }

    fn interval(&self, metric: &str, contender: Contender) -> Option<Interval> {
        let values: Vec<f64> = self.series(metric, contender).iter().copied().filter(|v| v.is_finite()).collect();
        (!values.is_empty()).then(|| bootstrap(&values))
    }

    /// The median over rounds of `of(ours, theirs)`.
    fn pairs(
        &self,
        metric: &str,
        ours: Contender,
        theirs: Contender,
        of: impl Fn(f64, f64) -> f64,
    ) -> Option<Interval> {
        let pairs = self.series(metric, ours).iter().zip(self.series(metric, theirs));
        let values: Vec<f64> = pairs.map(|(a, b)| of(*a, *b)).filter(|v| v.is_finite()).collect();
        (!values.is_empty()).then(|| bootstrap(&values))
    }

    fn compare(&self, target: &Target) -> Option<Interval> {
        self.pairs(target.metric, Contender::Vpcd, target.against, |ours, theirs| match target.compared {
            Compared::Ratio => ours / theirs,
            Compared::Inverse => theirs / ours,
            Compared::Difference => ours - theirs,
            Compared::Alone => ours,
        })
    }

    fn metrics(&self) -> Vec<&str> {
        let mut metrics: Vec<&str> = self.samples.keys().map(|key| key.metric.as_str()).collect();
        metrics.dedup();
        metrics
    }

    fn contenders(&self) -> Vec<Contender> {
        Contender::ALL.into_iter().filter(|c| self.samples.keys().any(|key| key.contender == *c)).collect()
    }

    /// Writes `results.json` and `results.md` into a directory.
    pub(crate) fn write(&self, out: &Path) -> Result<()> {
        fs::create_dir_all(out)?;
        fs::write(out.join("results.json"), format!("{:#}\n", self.to_json()))?;
        fs::write(out.join("results.md"), self.to_markdown())?;
        Ok(())
    }

    pub(crate) fn to_json(&self) -> Value {
        let samples: Vec<Value> = self
            .samples
            .iter()
            .map(|(key, values)| json!({ "metric": key.metric, "contender": key.contender.name(), "values": values }))
            .collect();
        let targets: Vec<Value> = TARGETS
            .iter()
            .filter_map(|t| Some((t, self.compare(t)?)))
            .map(|(t, i)| {
                json!({
                    "metric": t.metric, "against": t.against.name(), "at_least": t.least, "aim": t.aim,
                    "median": i.median, "low": i.low, "high": i.high,
                })
            })
            .collect();
        json!({ "about": self.about, "samples": samples, "targets": targets, "failures": self.failures })
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut out = String::new();
        let _ = self.write_markdown(&mut out);
        out
    }

    fn write_markdown(&self, out: &mut String) -> std::fmt::Result {
        let about =
            |field: &str| self.about[field].as_str().map_or_else(|| self.about[field].to_string(), str::to_owned);
        writeln!(
            out,
            "Kernel {}, {} × {}, commit {}, {}; {} rounds in {} s; load before {}, after {}.\n",
            about("kernel"),
            about("cpus"),
            about("cpu"),
            about("commit"),
            about("date"),
            about("rounds"),
            about("seconds"),
            about("load_before"),
            about("load_after"),
        )?;
        writeln!(out, "## Targets\n\nMedian of pairs and its 95 % interval.\n")?;
        writeln!(out, "| metric | against | measured | at least | aim | outcome |\n|---|---|---|---|---|---|")?;
        for target in TARGETS {
            let (sign, unit) = match target.compared {
                Compared::Ratio | Compared::Inverse => ("", "×"),
                Compared::Difference => ("≤ ", " µs more"),
                Compared::Alone => ("≤ ", ""),
            };
            let less = !sign.is_empty();
            let (measured, outcome) = match self.compare(target) {
                None => ("not measured".to_owned(), "–"),
                Some(i) => {
                    let good = |bar: f64| if less { i.median <= bar } else { i.median >= bar };
                    let outcome = if good(target.aim) {
                        "aim met"
                    } else if good(target.least) {
                        "met"
                    } else {
                        "missed"
                    };
                    (format!("{}{unit} ({} … {})", short(i.median), short(i.low), short(i.high)), outcome)
                }
            };
            let metric = match target.compared {
                Compared::Inverse => target.metric.replace("ns/packet", "packets per CPU time"),
                Compared::Ratio | Compared::Difference | Compared::Alone => target.metric.to_owned(),
            };
            let against = if matches!(target.compared, Compared::Alone) { "–" } else { target.against.name() };
            writeln!(
                out,
                "| {metric} | {against} | {measured} | {sign}{} | {sign}{} | {outcome} |",
                target.least, target.aim
            )?;
        }
        let contenders = self.contenders();
        writeln!(out, "\n## All medians\n")?;
        write!(out, "| metric |")?;
        contenders.iter().try_for_each(|c| write!(out, " {} |", c.name()))?;
        write!(out, "\n|---|{}\n", "---|".repeat(contenders.len()))?;
        for metric in self.metrics() {
            write!(out, "| {metric} |")?;
            for &contender in &contenders {
                match self.interval(metric, contender) {
                    Some(Interval { median, low, high }) if low < high => {
                        write!(out, " {} ({} … {}) |", short(median), short(low), short(high))?;
                    }
                    Some(Interval { median, .. }) => write!(out, " {} |", short(median))?,
                    None => write!(out, " – |")?,
                }
            }
            writeln!(out)?;
        }
        for failure in &self.failures {
            writeln!(out, "\nFailed: {failure}")?;
        }
        Ok(())
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 5) };
    format!("{value:.*}", digits as usize)
}

/// Writes `tcp.svg`, `udp.svg` and `latency.svg`.
pub(crate) fn charts(results: &Results, out: &Path) -> Result<()> {
    let charts: [(&str, &str, &[&str]); 3] = [
        (
            "tcp.svg",
            "Bulk TCP, Gbit/s",
            &["tcp x1 there Gbit/s", "tcp x1 back Gbit/s", "tcp x1 both Gbit/s", "tcp x8 there Gbit/s"],
        ),
        (
            "udp.svg",
            "CPU time per delivered datagram, ns (less is better)",
            &["udp 64 x1 ns/packet", "udp 64 x4096 ns/packet", "udp 1400 x1 ns/packet", "udp 1400 x4096 ns/packet"],
        ),
        (
            "latency.svg",
            "Round trip, µs",
            &["rtt idle p50 us", "rtt idle p99 us", "rtt half load p50 us", "rtt half load p99 us"],
        ),
    ];
    for (file, title, metrics) in charts {
        chart(results, &out.join(file), title, metrics)?;
    }
    Ok(())
}

/// Groups of bars with their intervals.
fn chart(results: &Results, path: &Path, title: &str, metrics: &[&str]) -> Result<()> {
    const COLOURS: [RGBColor; 5] = [
        RGBColor(0x9a, 0xa0, 0xa6),
        RGBColor(0x5f, 0x63, 0x68),
        RGBColor(0x8a, 0xb4, 0xf8),
        RGBColor(0xf2, 0xb8, 0x66),
        RGBColor(0x1a, 0x73, 0xe8),
    ];
    let contenders = results.contenders();
    let highest = metrics
        .iter()
        .flat_map(|metric| contenders.iter().filter_map(|c| results.interval(metric, *c)))
        .fold(0.0_f64, |most, interval| most.max(interval.high));
    if highest <= 0.0 {
        return Ok(());
    }
    let width = contenders.len() as f64 + 1.0;
    let area = SVGBackend::new(path, (860, 340)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(10)
        .x_label_area_size(26)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..width * metrics.len() as f64, 0.0..highest * 1.15)?;
    let label = |x: &f64| {
        let group = (x / width).floor() as usize;
        metrics.get(group).map_or_else(String::new, |m| {
            m.trim_end_matches(" ns/packet").trim_end_matches(" Gbit/s").trim_end_matches(" us").to_owned()
        })
    };
    chart.configure_mesh().disable_x_mesh().disable_x_axis().light_line_style(WHITE).draw()?;
    for (group, _) in metrics.iter().enumerate() {
        let at = group as f64 * width + width * 0.2;
        chart.draw_series([Text::new(label(&at), (at, -highest * 0.02), ("sans-serif", 13))])?;
    }
    for (nth, &contender) in contenders.iter().enumerate() {
        let colour = COLOURS[Contender::ALL.iter().position(|c| *c == contender).unwrap_or_default()];
        let bars = metrics.iter().enumerate().filter_map(|(group, metric)| {
            let interval = results.interval(metric, contender)?;
            Some((group as f64 * width + nth as f64 + 0.5, interval))
        });
        let bars: Vec<(f64, Interval)> = bars.collect();
        chart
            .draw_series(bars.iter().map(|(x, i)| Rectangle::new([(*x, 0.0), (x + 0.9, i.median)], colour.filled())))?
            .label(contender.name())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        chart
            .draw_series(bars.iter().map(|(x, i)| PathElement::new([(x + 0.45, i.low), (x + 0.45, i.high)], BLACK)))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 13))
        .draw()?;
    area.present()?;
    Ok(())
}
