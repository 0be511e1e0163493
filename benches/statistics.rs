//! Medians, quantiles and bootstrap intervals.

/// The quantile `q` (0 to 1) of values in any order; `NaN` of none.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

/// The middle value; `NaN` of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// A median and the interval that holds it in 95 of 100 resamplings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The median of the values themselves.
    pub median: f64,
    /// The 2.5 % quantile of the resampled medians.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

/// The percentile bootstrap of the median. Reproducible: the resampling's seed is fixed.
///
/// Source: Efron and Tibshirani, "An Introduction to the Bootstrap", §13.3.
#[must_use]
pub fn bootstrap(values: &[f64]) -> Interval {
    const RESAMPLINGS: usize = 2_000;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    };
    if values.is_empty() {
        return Interval { median: f64::NAN, low: f64::NAN, high: f64::NAN };
    }
    let medians: Vec<f64> = (0..RESAMPLINGS)
        .map(|_| {
            let sample: Vec<f64> = values.iter().map(|_| values[draw(values.len())]).collect();
            median(&sample)
        })
        .collect();
    Interval { median: median(values), low: quantile(&medians, 0.025), high: quantile(&medians, 0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_neighbours() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(quantile(&[0.0, 10.0], 0.25), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_interval_holds_its_median_and_narrows_with_agreement() {
        let scattered = bootstrap(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert!(scattered.low < scattered.median && scattered.median < scattered.high, "{scattered:?}");
        let same = bootstrap(&[2.0; 10]);
        assert_eq!((same.low, same.median, same.high), (2.0, 2.0, 2.0));
    }
}
